/**
 * How pictures of any size and shape are fitted to a network's input, in two steps. First the whole picture is resized, and a part of that kept:
 * the same for training and evaluation, and all that is needed of the picture from then on. Then a window of that becomes the input, drawn anew each
 * time in training. Longer than other files: all fits stand side by side.
 *
 * Source of the arithmetic, rounding included: torchvision.transforms (Resize, CenterCrop, RandomResizedCrop). Longer than other files: all that a
 * kind of fit is stands here.
 */
import { z } from "zod";
import { DataError } from "../../errors.ts";
import { isSameSize, type PixelSize, type Rectangle, wholeOf } from "../image.ts";
import { anywhere, centre, randomPart, scaledTo } from "./windows.ts";

const shorterSide = z.int().positive();
const range = z
  .tuple([z.number().positive(), z.number().positive()])
  .readonly()
  .refine(([low, high]) => low <= high, { error: "expected the smaller number first" });

/** What `--fit` names, with its numbers. */
export const fitSchema = z.discriminatedUnion("kind", [
  /** Stretched to the input's size, whatever its shape. */
  z.strictObject({ kind: z.literal("resize") }),
  /** The shorter side to `shorterSide`, the central square of that; then a crop of the input's size. Source: Krizhevsky et al. 2012, §2 and §4.1. */
  z.strictObject({ kind: z.literal("crop"), shorterSide }),
  /** All of the picture in its own shape, as large as fits into the input, in its middle; what is left is the mean colour. */
  z.strictObject({ kind: z.literal("pad") }),
  /** The shorter side to `shorterSide`; in training a random part of that or, if it is very long, of its middle, `scale` of its area with a shape within `ratio`, stretched to the input; else a centre crop. Source: Szegedy et al. 2014, §6. */
  z.strictObject({ kind: z.literal("random-resized-crop"), shorterSide, scale: range, ratio: range }),
  /** As it is: the network is built for the pictures' own size. */
  z.strictObject({ kind: z.literal("native") }),
]);

/** How pictures are fitted, with its numbers. Plain JSON. */
export type Fit = z.infer<typeof fitSchema>;
/** What `--fit` takes. */
export type FitName = Fit["kind"];

/** The size that a whole picture is resized to, and the part of that which is kept. */
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
  frame(fit: F, size: PixelSize, picture: PixelSize): Frame;
  /** Where the kept part goes in evaluation; in training too, if `draw` is not used. */
  place(fit: F, size: PixelSize, kept: PixelSize, draw: Draw | undefined): Placement;
  /** The size of every kept part, if they have one. */
  frameSize(fit: F, size: PixelSize): PixelSize | undefined;
  /** Whether what is kept of a picture is, or can be, larger than the input, which then is a window of it unscaled. */
  keepsMore(fit: F, size: PixelSize): boolean;
  /** Whether pictures are kept as they are, whatever their size. */
  readonly keepsAll: boolean;
  /** All that `frame` depends on, besides the picture. */
  frameNumbers(fit: F, size: PixelSize): readonly number[];
  /** True if the picture may not cover the input, so that a border in the mean colour remains. */
  readonly leavesBorder: boolean;
  /** Whether the input must be square. */
  readonly isSquare: boolean;
}

/** Of a picture that is longer than so many times its shorter side, the middle is drawn from: what is kept of any picture is bounded. */
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
  },
  crop: {
    description: "shorter side to 256, central square, a crop of that: the paper's",
    create: (size) => ({ kind: "crop", shorterSide: frameSide(size) }),
    frame: ({ shorterSide }, _size, picture) => {
      const scaled = scaledTo(shorterSide, picture);
      return { scaled, kept: centre(scaled, { width: shorterSide, height: shorterSide }) };
    },
    place: (_fit, size, kept, draw) => stretched(draw ? anywhere(kept, size, draw) : centre(kept, size), size),
    frameSize: ({ shorterSide: side }) => ({ width: side, height: side }),
    keepsMore: ({ shorterSide }, { width }) => shorterSide > width,
    frameNumbers: ({ shorterSide }) => [shorterSide],
    keepsAll: false,
    leavesBorder: false,
    isSquare: true,
  },
  pad: {
    description: "whole and undistorted, the rest in the mean colour (letterbox)",
    create: () => ({ kind: "pad" }),
    frame: (_fit, size, picture) => {
      const scale = Math.min(size.width / picture.width, size.height / picture.height);
      const side = (extent: number, limit: number) => Math.min(Math.max(Math.round(extent * scale), 1), limit);
      const scaled = { width: side(picture.width, size.width), height: side(picture.height, size.height) };
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
  },
  "random-resized-crop": {
    description: "training: a random part of any size, stretched; evaluation: a centre crop",
    create: (size) => ({
      kind: "random-resized-crop",
      shorterSide: frameSide(size),
      scale: [0.08, 1],
      ratio: [3 / 4, 4 / 3],
    }),
    frame: ({ shorterSide }, _size, picture) => {
      const scaled = scaledTo(shorterSide, picture);
      const side = (extent: number) => Math.min(extent, LONGEST * shorterSide);
      return { scaled, kept: centre(scaled, { width: side(scaled.width), height: side(scaled.height) }) };
    },
    place: (fit, size, kept, draw) => stretched(draw ? randomPart(fit, kept, draw) : centre(kept, size), size),
    frameSize: () => undefined,
    // Of the longer side more is kept than of the shorter.
    keepsMore: () => true,
    frameNumbers: ({ shorterSide }) => [shorterSide, LONGEST],
    keepsAll: false,
    leavesBorder: false,
    isSquare: true,
  },
  native: {
    description: "as it is: the network is built for the pictures' own size",
    create: () => ({ kind: "native" }),
    frame: (_fit, _size, picture) => ({ scaled: picture, kept: wholeOf(picture) }),
    place(_fit, size, kept) {
      if (isSameSize(kept, size)) return stretched(wholeOf(kept), size);
      throw new DataError(
        `fit native: expected a picture of ${size.width}×${size.height} pixels, got ${kept.width}×${kept.height}; ` +
          "give it that size, or train with another --fit",
      );
    },
    frameSize: (_fit, size) => size,
    keepsMore: () => false,
    frameNumbers: () => [],
    keepsAll: true,
    leavesBorder: false,
    isSquare: false,
  },
};

/** All of them. */
export const fitNames = Object.keys(kinds) as [FitName, ...FitName[]];

/** What each fit does, for help. */
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
 * The first step. It does nothing to a picture that has been through it: the frame of what was kept is all of it, at its
 * size.
 */
export function frameOf(fit: Fit, size: PixelSize, picture: PixelSize): Frame {
  return kindOf(fit).frame(fit, size, picture);
}

/** The second step; random where `draw` is given. */
export function placementOf(fit: Fit, size: PixelSize, kept: PixelSize, draw?: Draw): Placement {
  return kindOf(fit).place(fit, size, kept, draw);
}

/** The size of what is kept of every picture, or undefined where that depends on the picture. */
export function frameSizeOf(fit: Fit, size: PixelSize): PixelSize | undefined {
  return kindOf(fit).frameSize(fit, size);
}

/** Whether what is kept of a picture can be larger than the input, so that there are other windows of it than the one in evaluation. */
export function keepsMoreThan(fit: Fit, size: PixelSize): boolean {
  return kindOf(fit).keepsMore(fit, size);
}

/** Whether the first step keeps every picture as it is, whatever its size. */
export function keepsAll(fit: Fit): boolean {
  return kindOf(fit).keepsAll;
}

/** True if a border in the mean colour may remain around the picture. */
export function leavesBorder(fit: Fit): boolean {
  return kindOf(fit).leavesBorder;
}

/** Equal for fits whose first step does the same to every picture. */
export function frameKeyOf(fit: Fit, size: PixelSize): string {
  return [fit.kind, ...kindOf(fit).frameNumbers(fit, size)].join("-");
}

/** What does not fit together, in words; undefined if nothing. */
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
