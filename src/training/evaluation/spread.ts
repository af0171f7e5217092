/** Mean and deviation of a figure over runs. */

/** Mean and sample standard deviation, with the divisor n − 1. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number;
}

/** Mean and sample standard deviation of two values or more; the deviation of one value is NaN. */
export function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}
