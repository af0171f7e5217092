/**
 * target[t + j·targetStride] += scale · source[s + j·sourceStride] for j = 0 … length − 1, with t and s the starts.
 */
export function addScaled(
  target: Float64Array,
  targetStart: number,
  targetStride: number,
  scale: number,
  source: Float64Array,
  sourceStart: number,
  sourceStride: number,
  length: number,
): void {
  let t = targetStart;
  let s = sourceStart;
  for (let j = 0; j < length; j++) {
    target[t] = (target[t] as number) + scale * (source[s] as number);
    t += targetStride;
    s += sourceStride;
  }
}

/** Σ a[a₀ + j·aStride] · b[b₀ + j·bStride] for j = 0 … length − 1, with a₀ and b₀ the starts. */
export function dot(
  a: Float64Array,
  aStart: number,
  aStride: number,
  b: Float64Array,
  bStart: number,
  bStride: number,
  length: number,
): number {
  let sum = 0;
  let i = aStart;
  let k = bStart;
  for (let j = 0; j < length; j++) {
    sum += (a[i] as number) * (b[k] as number);
    i += aStride;
    k += bStride;
  }
  return sum;
}

/** output[i] ← f(input[i]). */
export function map(output: Float64Array, input: Float64Array, f: (x: number) => number): void {
  for (let i = 0; i < output.length; i++) output[i] = f(input[i] as number);
}

/** output[i] ← f(a[i], b[i]). */
export function map2(
  output: Float64Array,
  a: Float64Array,
  b: Float64Array,
  f: (a: number, b: number) => number,
): void {
  for (let i = 0; i < output.length; i++) output[i] = f(a[i] as number, b[i] as number);
}
