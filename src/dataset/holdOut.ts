/** Images held out of training, the same on every machine. */
import { permutation, randomStream } from "../random.ts";

/** Number of `count` images to hold out: the fraction, rounded; at least 1 of 2 or more; never all. */
export function countHeldOut(count: number, fraction: number): number {
  return Math.min(Math.max(Math.round(fraction * count), 1), count - 1);
}

/**
 * Images of part 0 of a division into two. If it contains none or all of the images, the first ones instead, as many as `countHeldOut`, so that neither
 * part is empty.
 */
export function heldInPart(parts: Int32Array, fraction: number): ReadonlySet<number> {
  const held = new Set([...parts.keys()].filter((i) => parts[i] === 0));
  if (held.size > 0 && held.size < parts.length) return held;
  return new Set(Array.from({ length: countHeldOut(parts.length, fraction) }, (_, i) => i));
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
