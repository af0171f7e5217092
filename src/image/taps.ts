/** Weights are fixed-point numbers with this many fraction bits. Source: Pillow, src/libImaging/Resample.c. */
export const precisionBits = 32 - 8 - 2;

/** Resizing along one axis: each output pixel is the weighted sum of `count` input pixels, from `starts[i]` on. */
export interface Taps {
  readonly count: number;
  readonly starts: Int32Array;
  /** `weights[i · count + t]`: fixed point, of tap t of output i. Positive; those of one output add up to 1, or a few units of the last bit beside it. */
  readonly weights: Int32Array;
}

/**
 * The triangle filter's weights for every output position along one axis. All windows are given the same number of taps
 * (two when enlarging), the missing ones with weight 0.
 *
 * Source: Pillow, src/libImaging/Resample.c, precompute_coeffs and normalize_coeffs_8bpc.
 */
export function linearTaps(inputExtent: number, outputExtent: number): Taps {
  const scale = inputExtent / outputExtent;
  const support = Math.max(scale, 1);
  const windows = Array.from({ length: outputExtent }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const end = Math.min(Math.trunc(centre + support + 0.5), inputExtent);
    const heights = Array.from({ length: end - first }, (_, t) =>
      // Pillow multiplies by the reciprocal; dividing would differ in the last bit.
      Math.max(1 - Math.abs((t + first - centre + 0.5) * (1 / support)), 0),
    );
    return { first, heights };
  });
  const count = Math.max(...windows.map(({ heights }) => heights.length));
  const starts = new Int32Array(outputExtent);
  const weights = new Int32Array(outputExtent * count);
  windows.forEach(({ first, heights }, i) => {
    const start = Math.min(first, inputExtent - count);
    const total = heights.reduce((sum, height) => sum + height, 0);
    starts[i] = start;
    heights.forEach((height, t) => {
      weights[i * count + first - start + t] = Math.trunc(0.5 + (height / total) * (1 << precisionBits));
    });
  });
  return { count, starts, weights };
}

/** Whether each output is a blend of two inputs, p + (q − p) · weight of q: so when enlarging, if rounding left their sum at 1. */
export function areBlends({ count, starts, weights }: Taps): boolean {
  const sumAt = (i: number) => (weights[2 * i] as number) + (weights[2 * i + 1] as number);
  return count === 2 && starts.every((_, i) => sumAt(i) === 1 << precisionBits);
}
