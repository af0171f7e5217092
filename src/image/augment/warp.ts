/**
 * Random affine maps of a finished input about its centre, with bilinear interpolation; what lies outside the image is 0, the mean colour.
 *
 * Source: torchvision, RandomRotation and RandomAffine, with a positive angle clockwise and the shear along x.
 */
import type { PixelSize } from "../image.ts";
import type { Planes } from "../prepare/normalize.ts";
import type { Draw } from "../prepare/windows.ts";
import type { Augmentation } from "./augmentation.ts";

/** A map from a pixel of the result to its place in the image: x′ = a x + b y + e, y′ = c x + d y + f. */
export interface AffineMap {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

/** Values of a forward map: angles in degrees, shifts in pixels. */
export interface AffineValues {
  readonly angle: number;
  readonly shear: number;
  readonly scale: number;
  readonly right: number;
  readonly down: number;
}

/**
 * The inverse of the forward map about the centre of an image: shear along x, rotation, scale, then shift.
 *
 *     forward = scale · [cos θ, −cos θ tan φ − sin θ; sin θ, −sin θ tan φ + cos θ], whose determinant is scale²
 */
export function inverseMap(
  { angle, shear, scale, right, down }: AffineValues,
  { width, height }: PixelSize,
): AffineMap {
  const [theta, phi] = [(angle * Math.PI) / 180, (shear * Math.PI) / 180];
  const [cos, sin, tan] = [Math.cos(theta), Math.sin(theta), Math.tan(phi)];
  const a = (cos - sin * tan) / scale;
  const b = (cos * tan + sin) / scale;
  const c = -sin / scale;
  const d = cos / scale;
  const [x, y] = [(width - 1) / 2, (height - 1) / 2];
  return { a, b, c, d, e: x - a * (x + right) - b * (y + down), f: y - c * (x + right) - d * (y + down) };
}

/** Draws the values of an augmentation: each is uniform up to its strength. Shifts are whole pixels. */
export function drawAffine(
  { rotate = 0, affine }: Augmentation,
  size: PixelSize,
  turn: Draw,
  other: Draw,
): AffineValues {
  const { translate = 0, scale = 0, shear = 0 } = affine ?? {};
  const within = (draw: Draw, most: number) => (most === 0 ? 0 : (2 * draw() - 1) * most);
  return {
    angle: within(turn, rotate),
    right: Math.round(within(other, translate * size.width)),
    down: Math.round(within(other, translate * size.height)),
    scale: 1 + within(other, scale),
    shear: within(other, shear),
  };
}

/** Creates the function that maps an input in place; its memory is used again. */
export function createWarp(): (planes: Planes, map: AffineMap) => void {
  let source = new Float32Array(0);
  return (planes, map) => {
    const { target, offset, channels, width, height } = planes;
    // A border of zeros, so that the four neighbours of a place near the image exist.
    const [stride, rows] = [width + 2, height + 2];
    const length = channels * stride * rows;
    if (source.length < length) source = new Float32Array(length);
    source.fill(0, 0, length);
    for (let row = 0; row < channels * height; row++) {
      const [c, y] = [Math.floor(row / height), row % height];
      const start = offset + row * width;
      source.set(target.subarray(start, start + width), (c * rows + y + 1) * stride + 1);
    }
    warpPlanes(source, planes, map);
  };
}

/** The hot loop: place and weights of a pixel are the same in every channel. `source` has a border of one zero on each side. */
function warpPlanes(
  source: Float32Array,
  { target, offset, channels, width, height }: Planes,
  { a, b, c, d, e, f }: AffineMap,
): void {
  const stride = width + 2;
  const [plane, bordered] = [width * height, stride * (height + 2)];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const x = a * column + b * row + e;
      const y = c * column + d * row + f;
      const to = offset + row * width + column;
      if (x <= -1 || y <= -1 || x >= width || y >= height) {
        for (let channel = 0; channel < channels; channel++) target[to + channel * plane] = 0;
        continue;
      }
      // Above 0 after the shift by the border, so that truncation rounds down.
      const left = (x + 1) | 0;
      const top = (y + 1) | 0;
      const p = x + 1 - left;
      const q = y + 1 - top;
      for (let channel = 0; channel < channels; channel++) {
        const at = channel * bordered + top * stride + left;
        const upper = (1 - p) * (source[at] as number) + p * (source[at + 1] as number);
        const lower = (1 - p) * (source[at + stride] as number) + p * (source[at + stride + 1] as number);
        target[to + channel * plane] = (1 - q) * upper + q * lower;
      }
    }
  }
}

/** Reverses the rows of an input in place. */
export function flipRows({ target, offset, channels, width, height }: Planes): void {
  for (let c = 0; c < channels; c++) {
    for (let row = 0; row < height >> 1; row++) {
      const upper = offset + (c * height + row) * width;
      const lower = offset + (c * height + height - 1 - row) * width;
      for (let x = 0; x < width; x++) {
        const value = target[upper + x] as number;
        target[upper + x] = target[lower + x] as number;
        target[lower + x] = value;
      }
    }
  }
}
