/** Number of fraction bits of fixed-point weights. Source: Pillow, src/libImaging/Resample.c. */
export const precisionBits = 32 - 8 - 2;

/** Resizing along one axis: each output pixel, from `first` on, is the weighted sum of `count` input pixels from `starts[i]` on. */
export interface Taps {
  readonly first: number;
  readonly count: number;
  readonly starts: Int32Array;
  /**
   * `weights[i · count + t]`: fixed-point weight of tap t of output `first + i`. The weights of an output sum to 1, up to a few units in the last
   * place.
   */
  readonly weights: Int32Array;
}

/** Weight at a distance from the centre, in pixels of the coarser image, and the radius of the filter's support. */
interface Kernel {
  readonly support: number;
  weight(distance: number): number;
}

/** Source: Pillow, src/libImaging/Resample.c, bilinear_filter and bicubic_filter (a = −0.5). */
const kernels = {
  bilinear: { support: 1, weight: (x) => Math.max(1 - Math.abs(x), 0) },
  bicubic: {
    support: 2,
    weight(distance) {
      const x = Math.abs(distance);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
} as const satisfies Readonly<Record<string, Kernel>>;

/** Resampling filter. Both widen their support when shrinking (antialiasing). */
export type Filter = keyof typeof kernels;

/** Values of `--filter`. */
export const filters = Object.keys(kernels) as [Filter, ...Filter[]];

/**
 * Computes a filter's weights for `size` output positions along one axis, from `from` on. All windows have the same number of taps (two for enlarging with
 * `bilinear`), padded with weights of 0.
 *
 * Source: Pillow, src/libImaging/Resample.c, precompute_coeffs and normalize_coeffs_8bpc.
 */
function createTaps(filter: Filter, inputExtent: number, outputExtent: number, from: number, size: number): Taps {
  const { support: reach, weight }: Kernel = kernels[filter];
  const scale = inputExtent / outputExtent;
  const stretch = Math.max(scale, 1);
  const support = reach * stretch;
  const windowOf = (i: number) => {
    const centre = (from + i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    return { centre, first, length: Math.min(Math.trunc(centre + support + 0.5), inputExtent) - first };
  };
  let count = 0;
  for (let i = 0; i < size; i++) count = Math.max(count, windowOf(i).length);
  const starts = new Int32Array(size);
  const weights = new Int32Array(size * count);
  const heights = new Float64Array(count);
  for (let i = 0; i < size; i++) {
    const { centre, first, length } = windowOf(i);
    let total = 0;
    for (let t = 0; t < length; t++) {
      // Pillow multiplies by the reciprocal; dividing would differ in the last bit.
      const height = weight((t + first - centre + 0.5) * (1 / stretch));
      heights[t] = height;
      total += height;
    }
    const start = Math.min(first, inputExtent - count);
    starts[i] = start;
    for (let t = 0; t < length; t++) {
      const weight = ((heights[t] as number) / total) * (1 << precisionBits);
      weights[i * count + first - start + t] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
  }
  return { first: from, count, starts, weights };
}

/** Maximum number of cached sizes: a folder of photos can contain thousands. */
const KEPT = 1000;

/** Outputs along an axis up to which all taps are computed and cached. The long side of a thin image may have millions, of which a fit keeps a few. */
const CACHED_OUTPUTS = 4096;

/** Taps of one filter for the outputs from `first` on, `size` of them, and others where those are cached. */
export function rememberTaps(
  filter: Filter,
): (inputExtent: number, outputExtent: number, first: number, size: number) => Taps {
  const known = new Map<number, Taps>();
  return (inputExtent, outputExtent, first, size) => {
    if (outputExtent > CACHED_OUTPUTS) return createTaps(filter, inputExtent, outputExtent, first, size);
    const key = inputExtent * 2 ** 13 + outputExtent;
    const found = known.get(key);
    if (found) return found;
    if (known.size >= KEPT) known.clear();
    const made = createTaps(filter, inputExtent, outputExtent, 0, outputExtent);
    known.set(key, made);
    return made;
  };
}
