/** What a data set's constants must say, computed from its pictures. */
import type { Split } from "../src/dataset/dataset.ts";

export interface PixelStatistics {
  /** One a channel, on the scale of 0 to 1. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  /** Pictures a class. */
  readonly counts: readonly number[];
}

/** Mean and deviation of a split's pixels, and its balance. The sums are exact integers below 2^53; a few roundings of 2^-53 follow. */
export function pixelStatistics(split: Split, channels: number, classes: number): PixelStatistics {
  const sums = new Array<number>(channels).fill(0);
  const squares = new Array<number>(channels).fill(0);
  const counts = new Array<number>(classes).fill(0);
  let pixels = 0;
  for (let i = 0; i < split.length; i++) {
    const { data } = split.image(i);
    for (let at = 0; at < data.length; at++) {
      const value = data[at] as number;
      sums[at % channels] = (sums[at % channels] as number) + value;
      squares[at % channels] = (squares[at % channels] as number) + value * value;
    }
    pixels += data.length / channels;
    counts[split.label(i)] = (counts[split.label(i)] as number) + 1;
  }
  const mean = sums.map((sum) => sum / pixels / 255);
  const deviation = squares.map((sum, c) => Math.sqrt(sum / pixels / 255 ** 2 - (mean[c] as number) ** 2));
  return { mean, deviation, counts };
}
