import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../errors.ts";
import { permutation, randomStream } from "../random.ts";
import type { ListedImage } from "./imageListing.ts";
import { stratifiedSplit } from "./stratifiedSplit.ts";

const classNames = ["a", "b", "c", "d"];
const counts = [1, 2, 10, 100];
const images: readonly ListedImage[] = counts.flatMap((count, label) =>
  Array.from({ length: count }, (_, i) => ({ path: `${classNames[label]}/${String(i).padStart(3, "0")}.jpg`, label })),
);

const countsOf = (part: readonly ListedImage[]) =>
  classNames.map((_, label) => part.filter((image) => image.label === label).length);

test("a share of each class, at least one of two, never all", () => {
  for (const [validationShare, expected] of [
    [0.2, [0, 1, 2, 20]],
    [0.001, [0, 1, 1, 1]],
    [0.999, [0, 1, 9, 99]],
    [0.25, [0, 1, 3, 25]],
  ] as const) {
    const { train, validation } = stratifiedSplit(images, classNames, { validationShare, seed: 1 });
    assert.deepEqual(countsOf(validation), expected);
    assert.deepEqual(new Set([...train, ...validation]), new Set(images));
    assert.equal(train.length + validation.length, images.length);
  }
});

test("the first of a permutation by seed and class name, whatever the order given; parts are sorted", () => {
  const { train, validation } = stratifiedSplit([...images].reverse(), classNames, { validationShare: 0.2, seed: 3 });
  const chosen = [...permutation(randomStream(3, "split:d"), 0, 100).subarray(0, 20)].sort((a, b) => a - b);
  assert.deepEqual(
    validation.filter(({ label }) => label === 3).map(({ path }) => path),
    chosen.map((i) => `d/${String(i).padStart(3, "0")}.jpg`),
  );
  for (const part of [train, validation]) {
    const keys = part.map(({ label, path }) => `${label}${path}`);
    assert.deepEqual(keys, [...keys].sort());
  }
  const again = stratifiedSplit(images, classNames, { validationShare: 0.2, seed: 3 });
  assert.deepEqual([again.train, again.validation], [train, validation]);
  const other = stratifiedSplit(images, classNames, { validationShare: 0.2, seed: 4 });
  assert.notDeepEqual(other.validation, validation);
});

test("a share outside 0 and 1", () => {
  for (const validationShare of [0, 1, -0.1, 1.5, Number.NaN]) {
    assert.throws(
      () => stratifiedSplit(images, classNames, { validationShare, seed: 0 }),
      new ConfigError(`validation share: expected more than 0 and less than 1, got ${validationShare}`),
    );
  }
});
