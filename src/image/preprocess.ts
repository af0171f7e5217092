import { z } from "zod";
import { ShapeError } from "../errors.ts";
import type { Image } from "./image.ts";
import { createResizer, type PixelSize, type Resizer } from "./resize.ts";

/**
 * How a picture becomes a network's input: value = (pixel / 255 − mean) / deviation, after its colours and its size have
 * been fitted. Plain JSON; it travels in checkpoints, so that a prediction prepares pictures as training did.
 */
export interface Preprocessing {
  /** The picture is stretched to this size, whatever its shape. */
  readonly size: readonly [height: number, width: number];
  /** 1: colour becomes luma. 3: grey is repeated. */
  readonly channels: 1 | 3;
  readonly resize: "bilinear";
  /** One a channel, on the scale of 0 (black) to 1 (white). */
  readonly mean: readonly number[];
  /** One a channel, on the same scale. */
  readonly deviation: readonly number[];
}

/** Checks a `Preprocessing` read from a file. */
export const preprocessingSchema: z.ZodType<Preprocessing> = z
  .strictObject({
    size: z.tuple([z.int().positive(), z.int().positive()]),
    channels: z.union([z.literal(1), z.literal(3)]),
    resize: z.literal("bilinear"),
    mean: z.array(z.number()),
    deviation: z.array(z.number().positive()),
  })
  .refine(({ channels, mean }) => mean.length === channels, { path: ["mean"], error: "expected one number a channel" })
  .refine(({ channels, deviation }) => deviation.length === channels, {
    path: ["deviation"],
    error: "expected one number a channel",
  });

/** Writes a picture as channels × height × width numbers into `target` from `offset` on. */
export type Preprocessor = (image: Image, target: Float32Array, offset: number) => void;

/** What pictures of one size need: made for the first of them, used for all that follow. */
interface Plan {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Where luma goes, if there is need for it. */
  readonly luma: Uint8Array | undefined;
  readonly resize: Resizer;
}

/**
 * Makes the one function that prepares pictures for training, evaluation and prediction alike: the same file gives the
 * same numbers to the bit. Steps: colours, then size, then scale. Memory is kept while pictures have the same size.
 *
 * Throws ShapeError if there is not one mean and one deviation a channel; the function itself, if the picture's bytes do
 * not fit its size or `target` has no room.
 */
export function createPreprocessor({ size, channels, mean, deviation }: Preprocessing): Preprocessor {
  const [height, width] = size;
  if (mean.length !== channels || deviation.length !== channels) {
    throw new ShapeError(
      `preprocess: expected ${channels} means and deviations, one a channel, got ${mean.length} and ${deviation.length}`,
    );
  }
  const scales = mean.map((value, c) => scaleTable(value, deviation[c] as number));
  // Only the latest: a folder of photos can hold thousands of sizes.
  let latest: Plan | undefined;
  return (image, target, offset) => {
    checkPixels(image);
    if (!latest || !fits(latest, image)) latest = makePlan(image, { width, height }, scales);
    if (latest.luma) toLuma(image.data, latest.luma);
    latest.resize(latest.luma ?? image.data, target, offset);
  };
}

function checkPixels({ width, height, channels, data }: Image): void {
  const pixels = width * height * channels;
  if (data.length !== pixels) {
    throw new ShapeError(
      `preprocess: expected ${pixels} bytes for a picture of ${channels}×${height}×${width}, got ${data.length}`,
    );
  }
}

function fits(plan: Plan, { width, height, channels }: Image): boolean {
  return plan.width === width && plan.height === height && plan.channels === channels;
}

function makePlan({ width, height, channels }: Image, to: PixelSize, scales: readonly Float32Array[]): Plan {
  const isLuma = scales.length < channels;
  return {
    width,
    height,
    channels,
    luma: isLuma ? new Uint8Array(width * height) : undefined,
    resize: createResizer({ width, height, channels: isLuma ? 1 : channels }, to, scales),
  };
}

function scaleTable(mean: number, deviation: number): Float32Array {
  return Float32Array.from({ length: 256 }, (_, pixel) => (pixel / 255 - mean) / deviation);
}

/** L = 0.299 R + 0.587 G + 0.114 B in 16-bit fixed point. Source: Pillow, src/libImaging/Convert.c, L24. */
function toLuma(rgb: Uint8Array, luma: Uint8Array): void {
  for (let i = 0, j = 0; i < luma.length; i++, j += 3) {
    const red = rgb[j] as number;
    const green = rgb[j + 1] as number;
    const blue = rgb[j + 2] as number;
    luma[i] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  }
}
