/** Views of an image at evaluation: the window of the kept part, and its reflection. */
import { ConfigError } from "../../errors.ts";
import type { PixelSize } from "../image.ts";
import { type Fit, keepsMoreThan, type Placement } from "./fit.ts";

/** 0 is left or top, 1 is right or bottom. */
export type Corner = readonly [across: 0 | 1, down: 0 | 1];

/** Part of an image that is evaluated as an image of its own. */
export interface View {
  /** Undefined: the fit's evaluation window, such as the centre. */
  readonly corner?: Corner | undefined;
  /** Flipped horizontally. */
  readonly flip: boolean;
}

/** The default view of an image. */
export const centreView: View = { flip: false };

const corners: readonly (Corner | undefined)[] = [[0, 0], [1, 0], [0, 1], [1, 1], undefined];

/**
 * The four corners, the centre, and their reflections. Source: Krizhevsky et al. 2012, §4.1.
 *
 * Throws ConfigError if the kept part is not larger than the input, so that there are no corners.
 */
export function tenCropViews({
  fit,
  size,
}: {
  readonly fit: Fit;
  readonly size: readonly [number, number];
}): readonly View[] {
  const [height, width] = size;
  if (!keepsMoreThan(fit, { width, height })) {
    throw new ConfigError(
      `ten-crop: expected a fit that keeps more than the input's ${height}×${width}, got ${fit.kind}; ` +
        "evaluate without it, or train with --fit crop or random-resized-crop",
    );
  }
  return [false, true].flatMap((flip) => corners.map((corner) => ({ corner, flip })));
}

/** Views to average at evaluation; neither: the default view alone. */
export interface ViewOptions {
  /** The ten views of `tenCropViews`, which contain all reflections. */
  readonly tenCrop?: boolean | undefined;
  /** The default view and its reflection. Source: Simonyan and Zisserman 2015, §3.2. */
  readonly flip?: boolean | undefined;
}

/** Views of an evaluation; undefined for the default view alone. Throws ConfigError for ten views of a fit that has none. */
export function viewsOf(
  fitting: Parameters<typeof tenCropViews>[0],
  { tenCrop, flip }: ViewOptions,
): readonly View[] | undefined {
  if (tenCrop) return tenCropViews(fitting);
  return flip ? [centreView, { flip: true }] : undefined;
}

/** The window of the input's size in a corner of the kept part. */
export function cornerPlacement([across, down]: Corner, { width, height }: PixelSize, kept: PixelSize): Placement {
  const window = { left: across * (kept.width - width), top: down * (kept.height - height), width, height };
  return { window, size: { width, height }, left: 0, top: 0 };
}
