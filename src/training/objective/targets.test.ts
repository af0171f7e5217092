import assert from "node:assert/strict";
import { test } from "node:test";
import { DataError } from "../../errors.ts";
import { oneHotTargets, writeLabelSetTargets, writeTargets } from "./targets.ts";

const plain = { labelSmoothing: 0, classWeights: [1, 1, 1] };

test("plain targets are exactly one-hot, and rows past the batch stay as they are", () => {
  const into = new Float32Array(9).fill(7);
  writeTargets(plain, [2, 0, 1], 2, undefined, into);
  assert.deepEqual([...into], [0, 0, 1, 1, 0, 0, 7, 7, 7]);
  assert.deepEqual([...oneHotTargets([2, 0], 3)], [0, 0, 1, 1, 0, 0]);
});

test("what was in the array does not count", () => {
  const rule = { labelSmoothing: 0.1, classWeights: [1, 2, 3] };
  const [fresh, used] = [new Float32Array(6), new Float32Array(6).fill(5)];
  for (const into of [fresh, used]) writeTargets(rule, [1, 2], 2, { lambda: 0.25, labels: [2, 1] }, into);
  assert.deepEqual(fresh, used);
});

test("mixed with itself, with λ = 1, or with λ = 0 the other way round is not mixed", () => {
  const targets = (labels: readonly number[], lambda?: number, second: readonly number[] = []) => {
    const into = new Float32Array(6);
    writeTargets(plain, labels, 2, lambda === undefined ? undefined : { lambda, labels: second }, into);
    return [...into];
  };
  assert.deepEqual(targets([1, 2], 1, [2, 1]), targets([1, 2]));
  assert.deepEqual(targets([2, 1], 0, [1, 2]), targets([1, 2]));
  assert.deepEqual(targets([1, 2], 0.25, [1, 2]), targets([1, 2]));
  assert.deepEqual(targets([1, 2], 0.25, [2, 1]), [0, 0.25, 0.75, 0, 0.75, 0.25]);
});

test("labels that are no class are refused, those of the partners too", () => {
  for (const label of [3, -1, 0.5, Number.NaN, undefined]) {
    const says = new DataError(`label of image 1: expected a class from 0 to 2, got ${label}`);
    const labels = [0, label] as number[];
    assert.throws(() => writeTargets(plain, labels, 2, undefined, new Float32Array(6)), says);
    assert.throws(() => writeTargets(plain, [0, 0], 2, { lambda: 0.5, labels }, new Float32Array(6)), says);
  }
});

test("label sets: 1 − ε/2 for present labels, ε/2 for absent ones, mixed by λ; rows past the batch stay as they are", () => {
  const labelSets = [[], [0, 2], [1]];
  const targets = (labelSmoothing: number, labels: readonly number[], mixed?: { lambda: number; labels: number[] }) => {
    const into = new Float32Array(9).fill(7);
    writeLabelSetTargets({ labelSmoothing, labelSets, classes: 3 }, labels, 2, mixed, into);
    return [...into];
  };
  assert.deepEqual(targets(0, [1, 0]), [1, 0, 1, 0, 0, 0, 7, 7, 7]);
  assert.deepEqual(targets(0.5, [1, 0]), [0.75, 0.25, 0.75, 0.25, 0.25, 0.25, 7, 7, 7]);
  assert.deepEqual(targets(0, [1, 2], { lambda: 0.75, labels: [2, 1] }), [0.75, 0.25, 0.75, 0.25, 0.75, 0.25, 7, 7, 7]);
  assert.deepEqual(targets(0.5, [1, 1], { lambda: 0.75, labels: [1, 0] }).slice(0, 6), [
    ...[0.75, 0.25, 0.75],
    ...[0.25 + 0.375, 0.25, 0.25 + 0.375],
  ]);
  for (const label of [3, -1, Number.NaN]) {
    const says = new DataError(`label of image 1: expected a class from 0 to 2, got ${label}`);
    assert.throws(() => targets(0, [0, label]), says);
    assert.throws(() => targets(0, [0, 0], { lambda: 0.5, labels: [0, label] }), says);
  }
});
