/**
 * Fitting of images of any size and shape to a network's input, in two steps. First the whole image is resized, and a part of that kept:
 * the same for training and evaluation, and all that is needed of the image from then on. Then a window of that becomes the input, drawn again each
 * time in training.
 *
 * Source of the arithmetic, rounding included: torchvision.transforms (Resize, CenterCrop, RandomResizedCrop).
 * Longer than other files: one table holds every kind of fit.
 */
import * as z from "zod/mini";
import { positive, positiveInt } from "../../schema.ts";
import { type PixelSize, type Rectangle, wholeOf } from "../image.ts";

const shorterSide = positiveInt;
const range = z
  .readonly(z.tuple([positive, positive]))
  .check(z.refine(([low, high]) => low <= high, { error: "expected the smaller number first" }));

/** The values of `--fit`, with their numbers. */
export const fitSchema = z.discriminatedUnion("kind", [
  /** Stretched to the input's size, whatever its shape. */
  z.strictObject({ kind: z.literal("resize") }),
  /** The shorter side to `shorterSide`, the central square of that; then a crop of the input's size. Source: Krizhevsky et al. 2012, §2 and §4.1. */
  z.strictObject({ kind: z.literal("crop"), shorterSide }),
  /** All of the image in its own shape, as large as fits into the input, in its middle; what is left is the mean colour. */
  z.strictObject({ kind: z.literal("pad") }),
  /** The shorter side to `shorterSide`; in training a random part of that or, if it is very long, of its middle, `scale` of its area with a shape within `ratio`, stretched to the input; else a centre crop. Source: Szegedy et al. 2014, §6. */
  z.strictObject({ kind: z.literal("random-resized-crop"), shorterSide, scale: range, ratio: range }),
  /** Unchanged: the network is built for the images' own size. In evaluation, others are stretched to it. */
  z.strictObject({ kind: z.literal("native") }),
]);

/** Method and numbers of the fit. Plain JSON. */
export type Fit = z.infer<typeof fitSchema>;
/** The names that `--fit` takes. */
export type FitName = Fit["kind"];

/** The size that a whole image is resized to, and the part of that which is kept. */
export interface Frame {
  readonly scaled: PixelSize;
  readonly kept: Rectangle;
}

/** A window of the kept part, the size that it is resized to, and where that lies in the input. */
export interface Placement {
  readonly window: Rectangle;
  readonly size: PixelSize;
  readonly left: number;
  readonly top: number;
}

/** Uniform numbers in [0, 1), one after the other. */
export type Draw = () => number;

interface FitKind<F extends Fit> {
  /** One line, for help and docs. */
  readonly description: string;
  /** With its usual numbers. */
  create(size: PixelSize): F;
  /** `size` is the input's. */
  frame(fit: F, size: PixelSize, image: PixelSize): Frame;
  /** Placement of the kept part in evaluation; in training too, if `draw` is not used. */
  place(fit: F, size: PixelSize, kept: PixelSize, draw: Draw | undefined): Placement;
  /** The size of every kept part, if they have one. */
  frameSize(fit: F, size: PixelSize): PixelSize | undefined;
  /** True if the kept part of an image is, or can be, larger than the input, which then is an unscaled window of it. */
  keepsMore(fit: F, size: PixelSize): boolean;
  /** True if images are kept unchanged, whatever their size. */
  readonly keepsAll: boolean;
  /** All that `frame` depends on, besides the image. */
  frameNumbers(fit: F, size: PixelSize): readonly number[];
  /** True if the image may not cover the input, so that a border in the mean colour remains. */
  readonly leavesBorder: boolean;
  /** True if the input must be square. */
  readonly isSquare: boolean;
  /** True if training images have the size of the input, so that the network has learnt no other. */
  readonly isOneSize: boolean;
}

/** An image longer than this many times its shorter side is cropped to its middle, so that the kept part is bounded. */
const LONGEST = 4;

type FitKinds = { readonly [K in FitName]: FitKind<Extract<Fit, { readonly kind: K }>> };

/** 256 for 224 and 227, as published; otherwise in the same proportion. */
function frameSide({ width, height }: PixelSize): number {
  const side = Math.min(width, height);
  return side === 224 || side === 227 ? 256 : Math.round((side * 8) / 7);
}

const kinds: FitKinds = {
  resize: {
    description: "stretched to the input, whatever its shape",
    create: () => ({ kind: "resize" }),
    frame: (_fit, size) => ({ scaled: size, kept: wholeOf(size) }),
    place: (_fit, size, kept) => stretched(wholeOf(kept), size),
    frameSize: (_fit, size) => size,
    keepsMore: () => false,
    frameNumbers: (_fit, { width, height }) => [width, height],
    keepsAll: false,
    leavesBorder: false,
    isSquare: false,
    isOneSize: false,
  },
  crop: {
    description: "shorter side to 256, central square, a crop of that: the paper's",
    create: (size) => ({ kind: "crop", shorterSide: frameSide(size) }),
    frame: ({ shorterSide }, _size, image) => {
      const scaled = scaledTo(shorterSide, image);
      return { scaled, kept: centre(scaled, { width: shorterSide, height: shorterSide }) };
    },
    place: (_fit, size, kept, draw) => stretched(draw ? anywhere(kept, size, draw) : centre(kept, size), size),
    frameSize: ({ shorterSide: side }) => ({ width: side, height: side }),
    keepsMore: ({ shorterSide }, { width }) => shorterSide > width,
    frameNumbers: ({ shorterSide }) => [shorterSide],
    keepsAll: false,
    leavesBorder: false,
    isSquare: true,
    isOneSize: false,
  },
  pad: {
    description: "whole and undistorted, the rest in the mean colour (letterbox)",
    create: () => ({ kind: "pad" }),
    frame: (_fit, size, image) => {
      const scale = Math.min(size.width / image.width, size.height / image.height);
      const side = (extent: number, limit: number) => Math.min(Math.max(Math.round(extent * scale), 1), limit);
      const scaled = { width: side(image.width, size.width), height: side(image.height, size.height) };
      return { scaled, kept: wholeOf(scaled) };
    },
    place: (_fit, size, kept) => {
      const { left, top } = centre(size, kept);
      return { window: wholeOf(kept), size: kept, left, top };
    },
    frameSize: () => undefined,
    keepsMore: () => false,
    frameNumbers: (_fit, { width, height }) => [width, height],
    keepsAll: false,
    leavesBorder: true,
    isSquare: false,
    isOneSize: false,
  },
  "random-resized-crop": {
    description: "training: a random part of any size, stretched; evaluation: a centre crop",
    create: (size) => ({
      kind: "random-resized-crop",
      shorterSide: frameSide(size),
      scale: [0.08, 1],
      ratio: [3 / 4, 4 / 3],
    }),
    frame: ({ shorterSide }, _size, image) => {
      const scaled = scaledTo(shorterSide, image);
      const side = (extent: number) => Math.min(extent, LONGEST * shorterSide);
      return { scaled, kept: centre(scaled, { width: side(scaled.width), height: side(scaled.height) }) };
    },
    place: (fit, size, kept, draw) => stretched(draw ? randomPart(fit, kept, draw) : centre(kept, size), size),
    frameSize: () => undefined,
    // More is kept along the longer side than along the shorter.
    keepsMore: () => true,
    frameNumbers: ({ shorterSide }) => [shorterSide, LONGEST],
    keepsAll: false,
    leavesBorder: false,
    isSquare: true,
    isOneSize: false,
  },
  native: {
    description: "as it is: the network is built for the images' own size",
    create: () => ({ kind: "native" }),
    frame: (_fit, _size, image) => ({ scaled: image, kept: wholeOf(image) }),
    // All training images have the size of the input. Others are stretched, as by the fit `resize`.
    place: (_fit, size, kept) => stretched(wholeOf(kept), size),
    frameSize: (_fit, size) => size,
    keepsMore: () => false,
    frameNumbers: () => [],
    keepsAll: true,
    leavesBorder: false,
    isSquare: false,
    isOneSize: true,
  },
};

/** All of them. */
export const fitNames = Object.keys(kinds) as [FitName, ...FitName[]];

/** One line of help for each fit. */
export const fitDescriptions: readonly (readonly [name: FitName, description: string])[] = fitNames.map((name) => [
  name,
  kinds[name].description,
]);

/** A fit with its usual numbers for an input size. */
export function createFit(name: FitName, size: PixelSize): Fit {
  return kinds[name].create(size);
}

function kindOf<F extends Fit>(fit: F): FitKind<F> {
  return kinds[fit.kind] as unknown as FitKind<F>;
}

/**
 * The first step. It does nothing to an image that has been through it: the frame of what was kept is all of it, at its
 * size.
 */
export function frameOf(fit: Fit, size: PixelSize, image: PixelSize): Frame {
  return kindOf(fit).frame(fit, size, image);
}

/** The second step; random where `draw` is given. */
export function placementOf(fit: Fit, size: PixelSize, kept: PixelSize, draw?: Draw): Placement {
  return kindOf(fit).place(fit, size, kept, draw);
}

/** The size of what is kept of every image, or undefined where that depends on the image. */
export function frameSizeOf(fit: Fit, size: PixelSize): PixelSize | undefined {
  return kindOf(fit).frameSize(fit, size);
}

/** True if the kept part of an image can be larger than the input, so that there are windows other than the one of evaluation. */
export function keepsMoreThan(fit: Fit, size: PixelSize): boolean {
  return kindOf(fit).keepsMore(fit, size);
}

/** True if the first step keeps every image unchanged, whatever its size. */
export function keepsAll(fit: Fit): boolean {
  return kindOf(fit).keepsAll;
}

/** See `FitKind.isOneSize`. */
export function isOneSize(fit: Fit): boolean {
  return kindOf(fit).isOneSize;
}

/** True if a border in the mean colour may remain around the image. */
export function leavesBorder(fit: Fit): boolean {
  return kindOf(fit).leavesBorder;
}

/** Equal for fits whose first step does the same to every image. */
export function frameKeyOf(fit: Fit, size: PixelSize): string {
  return [fit.kind, ...kindOf(fit).frameNumbers(fit, size)].join("-");
}

/** The mismatch between fit and input size, in words; undefined if there is none. */
export function fitProblem(fit: Fit, { width, height }: PixelSize): string | undefined {
  if (kindOf(fit).isSquare && width !== height)
    return `fit ${fit.kind}: expected a square input, got ${height}×${width}`;
  if ("shorterSide" in fit && fit.shorterSide < Math.max(width, height)) {
    return `fit ${fit.kind}: expected a shorter side of at least the input's ${Math.max(width, height)}, got ${fit.shorterSide}`;
  }
  return undefined;
}

function stretched(window: Rectangle, size: PixelSize): Placement {
  return { window, size, left: 0, top: 0 };
}

type Range = readonly [low: number, high: number];

/** The shorter side at `side`, the longer in proportion, cut to whole pixels. Source: torchvision, functional._compute_resized_output_size. */
function scaledTo(side: number, { width, height }: PixelSize): PixelSize {
  if (width <= height) return { width: side, height: Math.floor((side * height) / width) };
  return { width: Math.floor((side * width) / height), height: side };
}

/** The window of a size in the middle; an odd pixel goes to the right or left as Python rounds halves, to even. Source: torchvision, functional.center_crop. */
function centre(whole: PixelSize, { width, height }: PixelSize): Rectangle {
  return { left: roundEven((whole.width - width) / 2), top: roundEven((whole.height - height) / 2), width, height };
}

/** A window of a size at a random place; two draws. */
function anywhere(whole: PixelSize, { width, height }: PixelSize, draw: () => number): Rectangle {
  const top = Math.floor(draw() * (whole.height - height + 1));
  const left = Math.floor(draw() * (whole.width - width + 1));
  return { left, top, width, height };
}

const ATTEMPTS = 10;

/**
 * A window with a random share of the area, within `scale`, and a random ratio of width to height, within `ratio`; the largest central one after
 * ten attempts that do not fit. Source: torchvision, RandomResizedCrop.get_params.
 */
function randomPart(
  { scale, ratio }: { readonly scale: Range; readonly ratio: Range },
  whole: PixelSize,
  draw: () => number,
): Rectangle {
  const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const area = whole.width * whole.height * (scale[0] + draw() * (scale[1] - scale[0]));
    const shape = Math.exp(low + draw() * (high - low));
    const width = roundEven(Math.sqrt(area * shape));
    const height = roundEven(Math.sqrt(area / shape));
    if (width < 1 || height < 1 || width > whole.width || height > whole.height) continue;
    return anywhere(whole, { width, height }, draw);
  }
  const shape = whole.width / whole.height;
  const width = shape > ratio[1] ? Math.max(roundEven(whole.height * ratio[1]), 1) : whole.width;
  const height = shape < ratio[0] ? Math.max(roundEven(whole.width / ratio[0]), 1) : whole.height;
  const [left, top] = [Math.floor((whole.width - width) / 2), Math.floor((whole.height - height) / 2)];
  return { left, top, width, height };
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor + (floor & 1);
}
