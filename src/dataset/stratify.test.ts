/** Iterative stratification: by hand, by its property, and by groups. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fillWords, randomStream } from "../random.ts";
import { splitFolder } from "./folder/splitFolder.ts";
import { heldInPart } from "./holdOut.ts";
import { limitedIndices } from "./limit.ts";
import { stratify, stratifyGroups } from "./stratify.ts";

/** Random label sets: label c with a probability of 1 / 2^(c + 1). */
function randomSets(images: number, labels: number): readonly (readonly number[])[] {
  const words = new Uint32Array(images);
  fillWords(randomStream(1, "sets"), 0, words);
  return Array.from(words, (word) =>
    [...Array(labels).keys()].filter((c) => ((word >>> (4 * c)) & 15) < 16 >> (c + 1)),
  );
}

const countsOf = (sets: readonly (readonly number[])[], parts: Int32Array, part: number, label: number) =>
  sets.filter((set, i) => parts[i] === part && set.includes(label)).length;

test("each label has its fraction in each part, and so have the images", () => {
  const sets = randomSets(1000, 4);
  for (const fractions of [
    [0.2, 0.2, 0.2, 0.2, 0.2],
    [0.1, 0.9],
  ]) {
    const parts = stratify(sets, fractions, 0);
    for (const [part, fraction] of fractions.entries()) {
      for (const label of [0, 1, 2, 3]) {
        const all = sets.filter((set) => set.includes(label)).length;
        const got = countsOf(sets, parts, part, label);
        // The rarest label is exact up to rounding; labels that it drags along may miss by a few.
        assert.ok(Math.abs(got - fraction * all) <= 3, `part ${part}, label ${label}: ${got} of ${all}`);
      }
      const images = parts.filter((one) => one === part).length;
      assert.ok(Math.abs(images - fraction * 1000) <= 5, `part ${part}: ${images} images`);
    }
  }
});

test("a rare label is spread over the parts, the same at every call, differently with another seed", () => {
  const sets = [[0, 1], [0, 1], [0], [0], [0], [0], [], []];
  const parts = stratify(sets, [0.5, 0.5], 0);
  assert.notEqual(parts[0], parts[1], "one image of the rare label each");
  assert.deepEqual([countsOf(sets, parts, 0, 0), countsOf(sets, parts, 1, 0)], [3, 3]);
  assert.notEqual(parts[6], parts[7]);
  assert.deepEqual(stratify(sets, [0.5, 0.5], 0), parts);
  for (let seed = 0; seed < 8; seed++) {
    const two = stratify([[0], [1]], [0.5, 0.5], seed);
    assert.notEqual(two[0], two[1], "on a tie of the label, the part with more room");
  }
  const others = Array.from({ length: 8 }, (_, seed) => stratify(sets, [0.5, 0.5], seed).join(""));
  assert.ok(new Set(others).size > 1);
});

test("groups stay together, and labels keep their fractions about", () => {
  const sets = randomSets(600, 3);
  const groups = sets.map((_, i) => `patient ${Math.floor(i / 7)}`);
  const parts = stratifyGroups(sets, groups, [0.25, 0.25, 0.25, 0.25], 0);
  const seen = new Map<string, number>();
  for (const [i, group] of groups.entries()) {
    assert.equal(seen.get(group) ?? parts[i], parts[i], group);
    seen.set(group, parts[i] as number);
  }
  for (const part of [0, 1, 2, 3]) {
    for (const label of [0, 1, 2]) {
      const all = sets.filter((set) => set.includes(label)).length;
      // Within one group of 7 images.
      assert.ok(Math.abs(countsOf(sets, parts, part, label) - all / 4) <= 7);
    }
  }
  const unlabelled = Array.from({ length: 40 }, (_, i) => `${i}`);
  const halves = stratifyGroups(
    unlabelled.map(() => []),
    unlabelled,
    [0.5, 0.5],
    0,
  );
  assert.equal(halves.filter((part) => part === 0).length, 20, "images without labels count, too");
  const last = stratifyGroups([[0], [0], [0], [0]], ["a", "a", "a", "b"], [0.05, 0.95], 0);
  assert.deepEqual([...last], [1, 1, 1, 0], "the last group fills the empty part");
  const few = stratifyGroups([[0], [0], [0], [0]], ["a", "a", "a", "b"], [0.5, 0.5], 0);
  assert.equal(new Set(few).size, 2, "no part is empty");
});

test("neither part of a division is empty, and the only group is not divided", () => {
  assert.deepEqual([...heldInPart(Int32Array.of(1, 0, 1, 0), 0.5)], [1, 3]);
  assert.deepEqual([...heldInPart(Int32Array.of(1, 1, 1, 1, 1), 0.4)], [0, 1], "none held");
  assert.deepEqual([...heldInPart(Int32Array.of(0, 0, 0), 0.9)], [0, 1], "all held");
  assert.deepEqual([...heldInPart(Int32Array.of(0), 0.9)], [], "one image is for training");
  const images = [0, 1, 0, 1].map((label, i) => ({ path: `${i}.jpg`, label, group: "p" }));
  for (const validationShare of [0.1, 0.9]) {
    const parts = splitFolder(images, ["a", "b"], { validationShare, seed: 0 });
    assert.deepEqual([parts.train.length, parts.test.length], [4, 0]);
    const two = images.map((image, i) => ({ ...image, group: i < 3 ? "p" : "q" }));
    const { train, test: held } = splitFolder(two, ["a", "b"], { validationShare, seed: 0 });
    const sizes = [train.length, held.length];
    assert.deepEqual(sizes, validationShare < 0.5 ? [3, 1] : [1, 3]);
  }
});

test("a limit keeps the fraction of each label", () => {
  const sets = randomSets(1000, 3);
  const images = { length: 1000, label: (i: number) => i, labelSets: sets };
  const chosen = limitedIndices(images, 100, "sorted", "training");
  assert.equal(chosen.length, 100);
  for (const label of [0, 1, 2]) {
    const all = sets.filter((set) => set.includes(label)).length;
    const got = [...chosen].filter((i) => sets[i]?.includes(label)).length;
    assert.ok(Math.abs(got - all / 10) <= 3, `${got} of ${all}`);
  }
});
