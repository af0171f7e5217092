/**
 * Fits images of any size and shape to a network's input, in two steps. First, the whole image is resized and cropped to the kept part, the
 * same way for training and evaluation; nothing else of the image is needed later. Then a window of the kept part becomes the input; in
 * training it is random.
 *
 * Source of the arithmetic, including rounding: torchvision.transforms (Resize, CenterCrop, RandomResizedCrop).
 */
import * as z from "zod/mini";
import { ConfigError } from "../../errors.ts";
import { positive, positiveInt } from "../../schema.ts";
import { type PixelSize, type Rectangle, wholeOf } from "../image.ts";
import { anywhere, centre, type Draw, randomPart, scaledTo } from "./windows.ts";

const shorterSide = positiveInt;
const range = z
  .readonly(z.tuple([positive, positive]))
  .check(z.refine(([low, high]) => low <= high, { error: "expected the smaller number first" }));

/** Values of `--fit`, with their options. */
export const fitSchema = z.discriminatedUnion("kind", [
  /** Stretched to the input's size, ignoring the aspect ratio. */
  z.strictObject({ kind: z.literal("resize") }),
  /** Shorter side to `shorterSide`, central square, then a crop of the input's size. Source: Krizhevsky et al. 2012, §2 and §4.1. */
  z.strictObject({ kind: z.literal("crop"), shorterSide }),
  /** The whole image without distortion, centred and as large as fits into the input; the border has the mean colour. */
  z.strictObject({ kind: z.literal("pad") }),
  /**
   * Shorter side to `shorterSide`. Training: a random crop of `scale` of the area with an aspect ratio in `ratio`, stretched to the input;
   * of very long images, only the middle is used. Evaluation: a centre crop. Source: Szegedy et al. 2014, §6.
   */
  z.strictObject({ kind: z.literal("random-resized-crop"), shorterSide, scale: range, ratio: range }),
  /** Unchanged, for networks built for the images' own size. At evaluation, images of other sizes are stretched to it. */
  z.strictObject({ kind: z.literal("native") }),
]);

/** Name and options of a fit. Plain JSON. */
export type Fit = z.infer<typeof fitSchema>;
/** Values of `--fit`. */
export type FitName = Fit["kind"];

/** Size that the whole image is resized to, and the part of the result that is kept. */
export interface Frame {
  readonly scaled: PixelSize;
  readonly kept: Rectangle;
}

/** A window of the kept part, the size it is resized to, and its position in the input. */
export interface Placement {
  readonly window: Rectangle;
  readonly size: PixelSize;
  readonly left: number;
  readonly top: number;
}

interface FitKind<F extends Fit> {
  /** One line, for help and docs. */
  readonly description: string;
  /** The fit with its default options. */
  create(size: PixelSize): F;
  /** `size` is the input's. */
  frame(fit: F, size: PixelSize, image: PixelSize): Frame;
  /** Window of the kept part at evaluation; also in training if `draw` is not used. */
  place(fit: F, size: PixelSize, kept: PixelSize, draw: Draw | undefined): Placement;
  /** Size of the kept part, if it is the same for all images. */
  frameSize(fit: F, size: PixelSize): PixelSize | undefined;
  /** True if the kept part can be larger than the input, which then is an unscaled window of it. */
  keepsMore(fit: F, size: PixelSize): boolean;
  /** True if images are kept unchanged, whatever their size. */
  readonly keepsAll: boolean;
  /** Key of everything `frame` depends on besides the image. */
  frameNumbers(fit: F, size: PixelSize): readonly number[];
  /** True if the image may not fill the input and a border in the mean colour remains. */
  readonly leavesBorder: boolean;
  /** True if the input must be square. */
  readonly isSquare: boolean;
  /** True if all training images have the size of the input. */
  readonly isOneSize: boolean;
}

/** Maximum aspect ratio; longer images are cropped to their middle, which bounds the kept part. */
const LONGEST = 4;

type FitKinds = { readonly [K in FitName]: FitKind<Extract<Fit, { readonly kind: K }>> };

/** 256 for 224 and 227, as published; otherwise in proportion. */
function frameSide({ width, height }: PixelSize): number {
  const side = Math.min(width, height);
  return side === 224 || side === 227 ? 256 : Math.round((side * 8) / 7);
}

const kinds: FitKinds = {
  resize: {
    description: "stretch to the input size, ignoring the aspect ratio",
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
    description: "as in the paper (scale the shorter side to 256, take the central square, crop from it)",
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
    description: "keep the aspect ratio and pad with the mean colour (letterbox)",
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
    description: "in training, a random crop of random size, stretched; in evaluation, a centre crop",
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
    description: "keep the images' own size, for which the network is built",
    create: () => ({ kind: "native" }),
    frame: (_fit, _size, image) => ({ scaled: image, kept: wholeOf(image) }),
    // All training images have the size of the input. Others are stretched, like in the fit `resize`.
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

/** All fits. */
export const fitNames = Object.keys(kinds) as [FitName, ...FitName[]];

/** One line of help for each fit. */
export const fitDescriptions: readonly (readonly [name: FitName, description: string])[] = fitNames.map((name) => [
  name,
  kinds[name].description,
]);

/**
 * A fit with its default options for an input size, or with another shorter side.
 *
 * Throws ConfigError for a shorter side if the fit has none.
 */
export function createFit(name: FitName, size: PixelSize, side?: number): Fit {
  const fit: Fit = kinds[name].create(size);
  if (side === undefined) return fit;
  if ("shorterSide" in fit) return { ...fit, shorterSide: side };
  throw new ConfigError(
    `shorterSide: expected a fit that crops, got ${name}; omit it, or use the fit crop or random-resized-crop`,
  );
}

function kindOf<F extends Fit>(fit: F): FitKind<F> {
  return kinds[fit.kind] as unknown as FitKind<F>;
}

/** First step. It is idempotent: applied to a kept part, it keeps all of it at its size. */
export function frameOf(fit: Fit, size: PixelSize, image: PixelSize): Frame {
  return kindOf(fit).frame(fit, size, image);
}

/** Second step; random if `draw` is given. */
export function placementOf(fit: Fit, size: PixelSize, kept: PixelSize, draw?: Draw): Placement {
  return kindOf(fit).place(fit, size, kept, draw);
}

/** Size of the kept part, or undefined if it depends on the image. */
export function frameSizeOf(fit: Fit, size: PixelSize): PixelSize | undefined {
  return kindOf(fit).frameSize(fit, size);
}

/** True if the kept part can be larger than the input, so that windows other than the evaluation window exist. */
export function keepsMoreThan(fit: Fit, size: PixelSize): boolean {
  return kindOf(fit).keepsMore(fit, size);
}

/** True if the first step leaves every image unchanged. */
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

/** Equal for fits with the same first step. */
export function frameKeyOf(fit: Fit, size: PixelSize): string {
  return [fit.kind, ...kindOf(fit).frameNumbers(fit, size)].join("-");
}

/** Describes the mismatch between fit and input size; undefined if there is none. */
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
