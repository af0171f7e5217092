/** Search for the smallest number that meets a condition which all larger numbers meet. */

/** The smallest number that `fits`, if some number from `from` to `most` does; a number below `from` only if `from` itself fits. */
export function smallestThat(fits: (value: number) => boolean, from: number, most: number): number | undefined {
  let below = 0;
  let value = from;
  while (!fits(value)) {
    if (value >= most) return undefined;
    below = value;
    value *= 2;
  }
  while (value - below > 1) {
    const middle = Math.floor((below + value) / 2);
    if (fits(middle)) value = middle;
    else below = middle;
  }
  return value;
}
