/** Search for numbers that are not finite: NaN and the infinities. */

/** Values of any number type. */
type Numbers = Float32Array | Float64Array | readonly number[];

/**
 * Index of the first value that is not finite; -1 if all are.
 *
 * A finite x gives x · 0 = 0, any other NaN, so four sums tell of all values at once: half the time of a comparison for each.
 */
export function firstNonFinite(values: Numbers): number {
  const fours = values.length - (values.length % 4);
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < fours; i += 4) {
    a += (values[i] as number) * 0;
    b += (values[i + 1] as number) * 0;
    c += (values[i + 2] as number) * 0;
    d += (values[i + 3] as number) * 0;
  }
  for (let i = fours; i < values.length; i++) a += (values[i] as number) * 0;
  if (a + b + c + d === 0) return -1;
  return values.findIndex((value: number) => !Number.isFinite(value));
}

/** `expected finite numbers, got NaN at index 5 (3 of 12 are not finite)`; undefined if all values are finite. */
export function nonFiniteProblem(values: Numbers): string | undefined {
  const first = firstNonFinite(values);
  if (first < 0) return undefined;
  let count = 0;
  for (const value of values) if (!Number.isFinite(value)) count++;
  return `expected finite numbers, got ${values[first]} at index ${first} (${count} of ${values.length} are not finite)`;
}
