/** Shift of a finished input by whole pixels, with the gap filled by reflection. */
import type { Planes } from "../prepare/normalize.ts";

/**
 * Index of the pixel at a place of a reflected row of n pixels: the period is … 2 1 0 1 2 … n−1 n−2 …, without repeating the edge.
 *
 * Source: numpy.pad with mode "reflect"; torch.nn.ReflectionPad2d.
 */
export function reflectedIndex(place: number, n: number): number {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const within = ((place % period) + period) % period;
  return within < n ? within : period - within;
}

/** Creates the function that shifts an input in place, to the right and down; its memory is used again. */
export function createReflectedShift(): (planes: Planes, right: number, down: number) => void {
  let source = new Float32Array(0);
  let columns = new Int32Array(0);
  return ({ target, offset, channels, width, height }, right, down) => {
    if (right === 0 && down === 0) return;
    const length = channels * width * height;
    if (source.length < length) source = new Float32Array(length);
    if (columns.length < width) columns = new Int32Array(width);
    source.set(target.subarray(offset, offset + length));
    for (let x = 0; x < width; x++) columns[x] = reflectedIndex(x - right, width);
    for (let row = 0; row < channels * height; row++) {
      const y = row % height;
      const from = (row - y) * width + reflectedIndex(y - down, height) * width;
      const to = offset + row * width;
      for (let x = 0; x < width; x++) target[to + x] = source[from + (columns[x] as number)] as number;
    }
  };
}
