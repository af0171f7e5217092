/** Preprocessing: from an image to a network's input. */
import * as z from "zod/mini";
import { decodeBase64 } from "../../base64.ts";
import { ConfigError, ShapeError } from "../../errors.ts";
import { positive, positiveInt } from "../../schema.ts";
import type { RandomChanges } from "../augment/randomChanges.ts";
import { type Image, isSameSize, type PixelSize, type Rectangle, wholeOf } from "../image.ts";
import { createResizer } from "../resize/resize.ts";
import { filters } from "../resize/taps.ts";
import { fitProblem, fitSchema, frameSizeOf, placementOf } from "./fit.ts";
import { createFitter, type Fitting, growing, imageOf } from "./fitter.ts";
import { createNormalizer, type MeanPlanes, type Patch } from "./normalize.ts";
import { statisticsProblem } from "./statistics.ts";
import { centreView, cornerPlacement, type View } from "./views.ts";
import type { Draw } from "./windows.ts";

/**
 * Preprocessing of an image into a network's input: value = (pixel / 255 − mean) / deviation, after fitting colours and size. Plain JSON,
 * stored in checkpoints, so that prediction preprocesses images like training.
 */
export interface Preprocessing extends Fitting {
  /** One number per channel, on the scale of 0 (black) to 1 (white). */
  readonly mean: readonly number[];
  /** One number per channel, on the same scale. */
  readonly deviation: readonly number[];
  /** Mean image, subtracted additionally before the division: one level per pixel of the kept part, as planes of bytes in base64. */
  readonly meanImage?: string | undefined;
}

/** Schema of a `Preprocessing` in a file. */
export const preprocessingSchema: z.ZodMiniType<Preprocessing> = z
  .strictObject({
    size: z.tuple([positiveInt, positiveInt]),
    channels: z.union([z.literal(1), z.literal(3)]),
    /** The only fit of earlier versions. */
    fit: z._default(fitSchema, { kind: "resize" }),
    resize: z.enum(filters),
    mean: z.array(z.number()),
    deviation: z.array(positive),
    meanImage: z.optional(z.base64()),
  })
  .check(
    z.refine(({ channels, mean }) => mean.length === channels, {
      path: ["mean"],
      error: "expected one number a channel",
    }),
    z.refine(({ channels, deviation }) => deviation.length === channels, {
      path: ["deviation"],
      error: "expected one number a channel",
    }),
    z.superRefine((preprocessing, context) => {
      const problem = statisticsProblem(preprocessing);
      if (problem !== undefined) context.addIssue({ code: "custom", path: ["mean"], message: problem });
      const message = fitProblem(preprocessing.fit, sizeOf(preprocessing));
      if (message !== undefined) context.addIssue({ code: "custom", path: ["fit"], message });
    }),
  );

/** Writes an image as channels × height × width values into `target` from `offset` on. Views other than the default are for evaluation. */
export type Preprocessor = (image: Image, target: Float32Array, offset: number, view?: View) => void;

/**
 * Creates the function that preprocesses images for training, evaluation and prediction; the same file gives bit-identical values. Steps:
 * colours and size, which can be cached (`Fitter`); the fit's window, then the random augmentation of training (`changes`, which must be
 * started for each image); normalization.
 *
 * Throws ConfigError if the fit does not match the size or a pixel's value is not finite. Throws ShapeError for a wrong number of means or
 * deviations, or a mean image of another size. The function throws ShapeError if an image's bytes do not match its size or `target` is too
 * small.
 */
export function createPreprocessor(preprocessing: Preprocessing, changes?: RandomChanges): Preprocessor {
  const { channels, mean, deviation } = preprocessing;
  const size = sizeOf(preprocessing);
  const problem = fitProblem(preprocessing.fit, size);
  if (problem !== undefined) throw new ConfigError(`preprocess: ${problem}`);
  if (mean.length !== channels || deviation.length !== channels) {
    throw new ShapeError(
      `preprocess: expected ${channels} means and deviations, one per channel, got ${mean.length} and ${deviation.length}`,
    );
  }
  checkScale(preprocessing);
  const fit = createFitter(preprocessing);
  const cut = createCutter(preprocessing);
  const normalize = createNormalizer(mean, deviation, meanPlanes(preprocessing));
  return (image, target, offset, view = centreView) => {
    checkRoom(image, preprocessing, target, offset);
    const planes = { target, offset, channels, ...size };
    const patch = cut(fit(image), view, changes?.crop);
    normalize(changes ? changes.change(patch, size) : patch, changes?.noise(), planes);
    changes?.finish(planes);
  };
}

/** The window of a fitted image at its size in the input; valid until the next call. */
function createCutter(fitting: Fitting): (image: Image, view: View, draw: Draw | undefined) => Patch {
  const size = sizeOf(fitting);
  const resizer = createResizer(fitting.resize);
  const memory = growing();
  return (image, { corner, flip }, draw) => {
    const placement = corner ? cornerPlacement(corner, size, image) : placementOf(fitting.fit, size, image, draw);
    const { window, size: scaled, left, top } = placement;
    if (isSameSize(window, scaled)) return { ...patchOf(image, window, left, top), flip };
    const data = memory(scaled.width * scaled.height * image.channels);
    resizer(image, window, scaled, wholeOf(scaled), data);
    return { ...patchOf(imageOf(scaled, image.channels, data), wholeOf(scaled), left, top), flip };
  };
}

function patchOf({ data, channels, width }: Image, window: Rectangle, toLeft: number, toTop: number): Patch {
  const rowBytes = width * channels;
  return { data, channels, rowBytes, dataLeft: 0, dataTop: 0, ...window, toLeft, toTop, flip: false };
}

function sizeOf({ size: [height, width] }: Fitting): PixelSize {
  return { width, height };
}

/** Throws unless the values of black and white are finite in f32, which excludes a deviation of 0 or close to it. */
function checkScale({ mean, deviation }: Preprocessing): void {
  const allFinite = mean.every((m, c) => {
    const d = deviation[c] as number;
    return d > 0 && [0, 1].every((level) => Number.isFinite(Math.fround((level - m) / d)));
  });
  if (allFinite) return;
  throw new ConfigError(
    `preprocess: expected means and deviations that give finite numbers, got mean ${mean.join(", ")} and deviation ${deviation.join(", ")}`,
  );
}

/** The mean image on the scale of the values. */
function meanPlanes(preprocessing: Preprocessing): MeanPlanes | undefined {
  const { meanImage, fit, channels, deviation } = preprocessing;
  if (meanImage === undefined) return undefined;
  const frame = frameSizeOf(fit, sizeOf(preprocessing));
  const levels = decodeBase64(meanImage);
  if (!frame || levels.length !== channels * frame.width * frame.height) {
    const expected = frame
      ? `${channels}×${frame.height}×${frame.width} levels`
      : "none, since images keep their own size";
    throw new ShapeError(`preprocess: mean image: expected ${expected}, got ${levels.length}`);
  }
  const plane = frame.width * frame.height;
  const planes = deviation.map((d, c) =>
    Float32Array.from(levels.subarray(c * plane, (c + 1) * plane), (level) => level / 255 / d),
  );
  return { planes, width: frame.width };
}

function checkRoom(
  { width, height, channels, data }: Image,
  preprocessing: Preprocessing,
  target: Float32Array,
  offset: number,
): void {
  const pixels = width * height * channels;
  if (data.length !== pixels) {
    throw new ShapeError(
      `preprocess: expected ${pixels} bytes for an image of ${channels}×${height}×${width}, got ${data.length}`,
    );
  }
  const end = offset + preprocessing.channels * preprocessing.size[0] * preprocessing.size[1];
  if (offset < 0 || end > target.length) {
    throw new ShapeError(`preprocess: target: expected room from ${offset} to ${end}, got ${target.length} numbers`);
  }
}
