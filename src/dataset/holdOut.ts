/** Images held out of training, the same on every machine. */
import { permutation, randomStream } from "../random.ts";

/** Number of `count` images to hold out: the fraction, rounded; at least 1 of 2 or more; never all. */
export function countHeldOut(count: number, fraction: number): number {
  return Math.min(Math.max(Math.round(fraction * count), 1), count - 1);
}

/**
 * Returns the indices of the images to hold out: a fraction of each class, above 0 and below 1. The choice depends only on the seed, the class's name
 * and the order of its images.
 */
export function heldOut(
  labels: ArrayLike<number>,
  classNames: readonly string[],
  fraction: number,
  seed: number,
): ReadonlySet<number> {
  const byClass = classNames.map((): number[] => []);
  for (let i = 0; i < labels.length; i++) byClass[labels[i] as number]?.push(i);
  const held = new Set<number>();
  for (const [label, members] of byClass.entries()) {
    const order = permutation(randomStream(seed, `split:${classNames[label]}`), 0, members.length);
    for (const i of order.subarray(0, countHeldOut(members.length, fraction))) held.add(members[i] as number);
  }
  return held;
}
