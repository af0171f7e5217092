/** Confidence intervals of fractions. */

/** Bounds of a 95 % confidence interval, from 0 to 1. */
export type Interval = readonly [low: number, high: number];

/** The 0.975 quantile of the standard normal distribution: two-sided 95 %. */
const Z = 1.959963984540054;

/**
 * Wilson score interval of a fraction of independent images; null without images.
 *
 * (p + z²/2n ± z √(p (1 − p)/n + z²/4n²)) / (1 + z²/n), with p = part/whole and n = whole.
 *
 * Source: Wilson 1927, “Probable inference, the law of succession, and statistical inference”.
 */
export function wilsonInterval(part: number, whole: number): Interval | null {
  if (whole === 0) return null;
  const [p, z2] = [part / whole, (Z * Z) / whole];
  const centre = p + z2 / 2;
  const half = Z * Math.sqrt((p * (1 - p)) / whole + z2 / (4 * whole));
  // Exact at the ends, where rounding would pass 0 or 1.
  const low = part === 0 ? 0 : (centre - half) / (1 + z2);
  return [low, part === whole ? 1 : (centre + half) / (1 + z2)];
}
