/** Sizes and windows of images, central or random, with the arithmetic and rounding of torchvision. */
import type { PixelSize, Rectangle } from "../image.ts";

/** Draws uniform numbers in [0, 1). */
export type Draw = () => number;

type Range = readonly [low: number, high: number];

/**
 * Scales the shorter side to `side`, and the longer in proportion, truncated. Source: torchvision, functional._compute_resized_output_size.
 */
export function scaledTo(side: number, { width, height }: PixelSize): PixelSize {
  if (width <= height) return { width: side, height: Math.floor((side * height) / width) };
  return { width: Math.floor((side * width) / height), height: side };
}

/** The central window; an odd pixel is placed by Python's rounding of halves to even. Source: torchvision, functional.center_crop. */
export function centre(whole: PixelSize, { width, height }: PixelSize): Rectangle {
  return { left: roundEven((whole.width - width) / 2), top: roundEven((whole.height - height) / 2), width, height };
}

/** A window at a random position; uses two random numbers. */
export function anywhere(whole: PixelSize, { width, height }: PixelSize, draw: Draw): Rectangle {
  const top = Math.floor(draw() * (whole.height - height + 1));
  const left = Math.floor(draw() * (whole.width - width + 1));
  return { left, top, width, height };
}

const ATTEMPTS = 10;

/**
 * A window with a random fraction of the area, within `scale`, and a random aspect ratio, within `ratio`; after ten attempts that do not
 * fit, the largest central one. Source: torchvision, RandomResizedCrop.get_params.
 */
export function randomPart(
  { scale, ratio }: { readonly scale: Range; readonly ratio: Range },
  whole: PixelSize,
  draw: Draw,
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
