/** McNemar's test: do two classifiers differ in accuracy on the same images? */

/**
 * Exact two-sided p-value of McNemar's test: the probability of a split at least as uneven, if each image that only one classifier recognizes were
 * recognized by either with probability ½. 1 if there are no such images.
 *
 * min(1, 2 · Σ_{k ≤ min(b, c)} C(b + c, k) / 2^(b + c)), with b and c the images that only the first, or only the second, recognizes.
 *
 * Source: McNemar 1947, “Note on the sampling error of the difference between correlated proportions or percentages”; Dietterich 1998, §2.
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const images = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  // In logarithms, since 2^images overflows f64 from 1,024 images on.
  let log = -images * Math.LN2;
  for (let k = 0; k < fewer; k++) log += Math.log((images - k) / (k + 1));
  // Each term by the one above it, down to those that no longer count.
  let [term, sum] = [1, 1];
  for (let k = fewer; k > 0 && term > Number.EPSILON * sum; k--) {
    term *= k / (images - k + 1);
    sum += term;
  }
  return Math.min(1, 2 * Math.exp(log + Math.log(sum)));
}
