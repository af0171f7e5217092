/** Limits on the number of images: some of each class. */
import { ConfigError } from "../errors.ts";
import { classesAt, type LabelledImages } from "./labelSets.ts";
import { stratify } from "./stratify.ts";

/**
 * At most n images with at least one of each class, in proportion to class sizes; or the first n in order, whatever their classes: for parts that
 * are not evaluated on, and for runs of earlier versions.
 */
export type ImageLimit = number | { readonly inOrder: number };

/** Throws ConfigError unless the limit is undefined or a whole number above 0. The message begins with `name`. */
export function requireLimit(name: string, limit: number | undefined): void {
  if (limit === undefined || (Number.isInteger(limit) && limit > 0)) return;
  throw new ConfigError(`${name}: expected a whole number above 0, got ${String(limit)}`);
}

/** `random`: classes are mixed, as in the files of CIFAR-10. `sorted`: by class, with similar images next to each other, as in a folder. */
export type ImageOrder = "random" | "sorted";

/**
 * Indices of the images within a limit, ascending. Images with label sets are chosen by iterative stratification. Others: in random order the first n, if they include every class. Otherwise each class gets a
 * number by largest remainder, at least one: its first images or, if sorted, evenly spaced ones. Errors use `what` to name the images.
 *
 * Throws ConfigError if the limit is not a whole number above 0, or is below the number of classes.
 */
export function limitedIndices(
  images: LabelledImages,
  limit: ImageLimit | undefined,
  order: ImageOrder,
  what: string,
): Uint32Array {
  const { length } = images;
  if (typeof limit === "object") return chosen(Math.min(limit.inOrder, length), length, order);
  requireLimit(`limit of ${what} images`, limit);
  if (limit === undefined || limit >= length) return chosen(length, length, order);
  if (images.labelSets) return stratified(images, limit);
  const classes = new Map<number, number[]>();
  for (let i = 0; i < length; i++) {
    const label = images.label(i);
    const members = classes.get(label);
    if (members) members.push(i);
    else classes.set(label, [i]);
  }
  if (limit < classes.size) {
    throw new ConfigError(
      `limit of ${what} images: expected at least ${classes.size}, one for each class, got ${limit}; raise it`,
    );
  }
  if (order === "random" && [...classes.values()].every(([first]) => (first as number) < limit)) {
    return chosen(limit, length, order);
  }
  const members = [...classes.values()];
  const counts = countsWithin(
    members.map((each) => each.length),
    limit,
  );
  const indices = members.flatMap((each, c) =>
    Array.from(chosen(counts[c] as number, each.length, order), (i) => each[i] as number),
  );
  return Uint32Array.from(indices).sort();
}

/** About `count` images in which each label keeps its fraction; exactly as many, by leaving out or adding the first ones. */
function stratified(images: LabelledImages, count: number): Uint32Array {
  const { length } = images;
  const sets = Array.from({ length }, (_, i) => classesAt(images, i));
  const parts = stratify(sets, [count / length, 1 - count / length], 0);
  const all = [...parts.keys()];
  const [chosen, rest] = [all.filter((i) => parts[i] === 0), all.filter((i) => parts[i] !== 0)];
  return Uint32Array.from([...chosen.slice(0, count), ...rest.slice(0, Math.max(0, count - chosen.length))]).sort();
}

/** `count` of `length` indices: the first ones in random order, evenly spaced ones in sorted order. */
function chosen(count: number, length: number, order: ImageOrder): Uint32Array {
  return order === "random" ? Uint32Array.from({ length: count }, (_, i) => i) : evenlySpaced(count, length);
}

/** Evenly spaced indices among `length`, ascending: at most `most`. */
export function evenlySpaced(most: number, length: number): Uint32Array {
  const count = Math.min(most, length);
  return Uint32Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
}

/**
 * Divides `limit` among classes of these sizes in proportion, by largest remainder; the first class wins a tie. A class with a quota below 1 gets
 * 1, and the others divide the rest. Requires number of classes ≤ `limit` < sum of sizes.
 */
export function countsWithin(sizes: readonly number[], limit: number): readonly number[] {
  const single = new Set<number>();
  let [quota, isSettled] = [0, false];
  while (!isSettled) {
    const left = sizes.reduce((sum, size, c) => (single.has(c) ? sum : sum + size), 0);
    quota = (limit - single.size) / left;
    const small = [...sizes.keys()].filter((c) => !single.has(c) && quota * (sizes[c] as number) < 1);
    for (const c of small) single.add(c);
    isSettled = small.length === 0;
  }
  const counts = sizes.map((size, c) => (single.has(c) ? 1 : Math.floor(quota * size)));
  const remainders = sizes
    .map((size, c) => ({ c, remainder: single.has(c) ? -1 : quota * size - Math.floor(quota * size) }))
    .sort((a, b) => b.remainder - a.remainder || a.c - b.c);
  const rest = limit - counts.reduce((sum, count) => sum + count, 0);
  for (const { c } of remainders.slice(0, rest)) counts[c] = (counts[c] as number) + 1;
  return counts;
}
