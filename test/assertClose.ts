/** The one comparison of numbers with a tolerance. */
import assert from "node:assert/strict";

export interface Tolerance {
  /** Times the expected value's magnitude. */
  readonly relative?: number;
  readonly absolute?: number;
}

/** Every |actual − expected| ≤ absolute + relative · |expected|; NaN is never close. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { relative = 0, absolute = 0 }: Tolerance,
  what: string,
): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] as number;
    const e = expected[i] as number;
    const allowed = absolute + relative * Math.abs(e);
    if (!(Math.abs(a - e) <= allowed)) {
      assert.fail(`${what}[${i}]: expected ${e} ± ${allowed}, got ${a} (off by ${Math.abs(a - e)})`);
    }
  }
}

/** ‖actual − expected‖ ≤ tolerance · ‖expected‖, in the Euclidean norm. */
export function assertCloseNorm(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  const difference = Float64Array.from(expected, (e, i) => (actual[i] as number) - e);
  const error = norm(difference) / norm(expected);
  if (!(error <= tolerance)) assert.fail(`${what}: relative L2 difference ${error}, allowed ${tolerance}`);
}

/** √Σ x². */
export function norm(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return Math.sqrt(sum);
}
