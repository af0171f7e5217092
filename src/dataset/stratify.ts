/**
 * Parts of a set of images in which every label has its fraction: iterative stratification, also by groups.
 *
 * Source: Sechidis, Tsoumakas and Vlahavas 2011, “On the stratification of multi-label data”, figure 1.
 */
import { fillWords, permutation, randomStream } from "../random.ts";
import type { LabelSet } from "./labelSets.ts";

/**
 * Part of each image. Repeats for the label with the fewest images left: each of its images goes to the part that lacks most images of the label, on a
 * tie the part that lacks most images, on a further tie a random one. Images without labels come last.
 *
 * `fractions` sum to 1. The result is a function of the arguments.
 */
export function stratify(sets: readonly LabelSet[], fractions: readonly number[], seed: number): Int32Array {
  const parts = new Int32Array(sets.length).fill(-1);
  const order = permutation(randomStream(seed, "stratify:order"), 0, sets.length);
  const words = new Uint32Array(sets.length);
  fillWords(randomStream(seed, "stratify:ties"), 0, words);
  const members = new Map<number, number[]>();
  for (const image of order) {
    for (const label of sets[image] as LabelSet) {
      const own = members.get(label);
      if (own) own.push(image);
      else members.set(label, [image]);
    }
  }
  const left = new Map([...members].map(([label, { length }]) => [label, length]));
  const lacking = new Map([...left].map(([label, count]) => [label, fractions.map((fraction) => fraction * count)]));
  const room = fractions.map((fraction) => fraction * sets.length);
  const assign = (image: number, wanted: readonly number[]) => {
    const part = partOf(wanted, room, words[image] as number);
    parts[image] = part;
    room[part] = (room[part] as number) - 1;
    for (const label of sets[image] as LabelSet) {
      const own = lacking.get(label) as number[];
      own[part] = (own[part] as number) - 1;
      left.set(label, (left.get(label) as number) - 1);
    }
  };
  for (let label = rarest(left); label !== undefined; label = rarest(left)) {
    for (const image of members.get(label) ?? [])
      if (parts[image] === -1) assign(image, lacking.get(label) as number[]);
    left.delete(label);
  }
  for (const image of order) if (parts[image] === -1) assign(image, room);
  return parts;
}

/** The label with the fewest images left; the lowest of equal ones. Undefined without labels. */
function rarest(left: ReadonlyMap<number, number>): number | undefined {
  let best: readonly [label: number, count: number] | undefined;
  for (const [label, count] of left) {
    if (!best || count < best[1] || (count === best[1] && label < best[0])) best = [label, count];
  }
  return best?.[0];
}

/** The part with the highest wanted number, then the most room, then a random one. */
function partOf(wanted: readonly number[], room: readonly number[], word: number): number {
  const highest = Math.max(...wanted);
  const first = [...wanted.keys()].filter((part) => wanted[part] === highest);
  const most = Math.max(...first.map((part) => room[part] as number));
  const tied = first.filter((part) => room[part] === most);
  return tied[Math.floor((word / 0x100000000) * tied.length)] as number;
}

/**
 * Part of each image, with all images of a group in one part. Groups are assigned in order of size, the largest first, each to the part where it
 * reduces the squared deviations Σ (images of the label / all of the label − fraction)² most, over all labels and the images themselves.
 *
 * Otherwise as `stratify`. A part is empty only if there are fewer groups than parts.
 */
export function stratifyGroups(
  sets: readonly LabelSet[],
  groups: readonly string[],
  fractions: readonly number[],
  seed: number,
): Int32Array {
  const found = groupsOf(sets, groups);
  const totals = new Map<number, number>();
  for (const { counts } of found) for (const [label, n] of counts) totals.set(label, (totals.get(label) ?? 0) + n);
  const assigned = fractions.map(() => new Map<number, number>());
  const order = permutation(randomStream(seed, "stratify:groups"), 0, found.length);
  const sorted = Array.from(order, (g) => found[g] as Group).sort((a, b) => b.images.length - a.images.length);
  const parts = new Int32Array(sets.length);
  for (const [i, { images, counts }] of sorted.entries()) {
    const costs = fractions.map((fraction, part) => {
      let cost = 0;
      for (const [label, n] of counts) {
        const total = totals.get(label) as number;
        cost += (n / total) * ((assigned[part]?.get(label) ?? 0) / total - fraction);
      }
      return cost;
    });
    const empty = assigned.flatMap(({ size }, part) => (size === 0 ? [part] : []));
    // The last groups fill parts that are still empty.
    const candidates = sorted.length - i <= empty.length ? empty : [...costs.keys()];
    const part = candidates.reduce((a, b) => ((costs[b] as number) < (costs[a] as number) ? b : a));
    const own = assigned[part] as Map<number, number>;
    for (const [label, n] of counts) own.set(label, (own.get(label) ?? 0) + n);
    for (const image of images) parts[image] = part;
  }
  return parts;
}

/** Images of a group, and their number by label; that of all images is counted under `ALL`. */
interface Group {
  readonly images: number[];
  readonly counts: Map<number, number>;
}

const ALL = -1;

/** Groups in the order of their first images. */
function groupsOf(sets: readonly LabelSet[], names: readonly string[]): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const [image, name] of names.entries()) {
    const group: Group = groups.get(name) ?? { images: [], counts: new Map() };
    groups.set(name, group);
    group.images.push(image);
    for (const label of [ALL, ...(sets[image] as LabelSet)])
      group.counts.set(label, (group.counts.get(label) ?? 0) + 1);
  }
  return [...groups.values()];
}
