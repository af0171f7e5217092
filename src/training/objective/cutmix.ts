/**
 * CutMix: a rectangle of each image is replaced by the same rectangle of another image of the batch, and the targets are mixed by area.
 *
 * Source: Yun et al. 2019, “CutMix: Regularization strategy to train strong classifiers with localizable features”, §3.1 and algorithm A1: one
 * rectangle per batch, with an area of 1 − λ for λ ~ Beta(α, α), about a uniform centre, cut off at the borders.
 */
import type { PixelSize, Rectangle } from "../../image/image.ts";
import { fillWords, randomStream } from "../../random.ts";

/** Draws the rectangle of a batch: a function of (seed, counter), where every batch has its own counter, and of λ. */
export function createRectangles(seed: number, size: PixelSize): (counter: number, lambda: number) => Rectangle {
  const stream = randomStream(seed, "cutmix:rectangle");
  const words = new Uint32Array(2);
  return (counter, lambda) => {
    fillWords(stream, counter, words);
    const side = Math.sqrt(1 - lambda);
    const across = cut((words[0] as number) / 0x100000000, side, size.width);
    const down = cut((words[1] as number) / 0x100000000, side, size.height);
    return { left: across.from, width: across.extent, top: down.from, height: down.extent };
  };
}

/** Extent of a side about a centre, both as fractions of the length, without what lies outside. */
function cut(centre: number, side: number, length: number): { readonly from: number; readonly extent: number } {
  const middle = Math.floor(centre * length);
  const half = Math.floor(Math.floor(side * length) / 2);
  const from = Math.max(middle - half, 0);
  return { from, extent: Math.min(middle + half, length) - from };
}

/** Fraction of an image outside of a rectangle: λ, after it was cut off. */
export function fractionOutside({ width, height }: Rectangle, size: PixelSize): number {
  return 1 - (width * height) / (size.width * size.height);
}

/** Shape of one image: [channels, height, width]. */
export type ImageShape = readonly number[];

/**
 * Replaces the rectangle of each image by that of its partner, in place, row by row along each cycle of the permutation.
 *
 * Shapes: images [≥ count, channels, height, width].
 */
export function cutImages(
  images: Float32Array,
  count: number,
  [channels = 0, height = 0, width = 0]: ImageShape,
  rectangle: Rectangle,
  partners: Uint32Array,
  scratch: { readonly first: Float32Array; readonly done: Uint8Array },
): void {
  const size = channels * height * width;
  const { first, done } = scratch;
  for (let row = 0; row < channels * rectangle.height; row++) {
    const channel = Math.floor(row / rectangle.height);
    const y = rectangle.top + row - channel * rectangle.height;
    const offset = (channel * height + y) * width + rectangle.left;
    done.fill(0, 0, count);
    for (let start = 0; start < count; start++) {
      if (done[start] === 1 || partners[start] === start) continue;
      for (let i = 0; i < rectangle.width; i++) first[i] = images[start * size + offset + i] as number;
      let at = start;
      for (let next = partners[at] as number; next !== start; next = partners[at] as number) {
        const from = next * size + offset;
        images.copyWithin(at * size + offset, from, from + rectangle.width);
        done[at] = 1;
        at = next;
      }
      for (let i = 0; i < rectangle.width; i++) images[at * size + offset + i] = first[i] as number;
      done[at] = 1;
    }
  }
}
