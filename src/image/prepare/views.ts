/** Views of an image: which window of what its fit keeps becomes the input, and whether that is reflected. */
import { ConfigError } from "../../errors.ts";
import type { PixelSize } from "../image.ts";
import { type Fit, keepsMoreThan, type Placement } from "./fit.ts";

/** 0 is left or top, 1 is right or bottom. */
export type Corner = readonly [across: 0 | 1, down: 0 | 1];

/** Part of an image that is evaluated as an image of its own. */
export interface View {
  /** Undefined: where the fit has its window in evaluation, such as the centre. */
  readonly corner?: Corner | undefined;
  /** Reflected, left for right. */
  readonly flip: boolean;
}

/** The default view of an image. */
export const centreView: View = { flip: false };

const corners: readonly (Corner | undefined)[] = [[0, 0], [1, 0], [0, 1], [1, 1], undefined];

/**
 * The four corners, the centre, and their reflections. Source: Krizhevsky et al. 2012, §4.1.
 *
 * Throws ConfigError if the fit keeps no more of an image than the input holds: then there are no corners.
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
      `ten-crop: expected a fit that keeps more of an image than the input's ${height}×${width}, got ${fit.kind}, which ` +
        "keeps no more; evaluate without it, or train with --fit crop or random-resized-crop",
    );
  }
  return [false, true].flatMap((flip) => corners.map((corner) => ({ corner, flip })));
}

/** The window of the input's size in a corner of what was kept. */
export function cornerPlacement([across, down]: Corner, { width, height }: PixelSize, kept: PixelSize): Placement {
  const window = { left: across * (kept.width - width), top: down * (kept.height - height), width, height };
  return { window, size: { width, height }, left: 0, top: 0 };
}
