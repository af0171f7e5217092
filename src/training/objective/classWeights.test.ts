import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../errors.ts";
import { classWeightsSchema, weightsOfClasses } from "./classWeights.ts";

const names = ["cat", "dog", "eel", "fox"];
const labels = [0, 0, 0, 0, 0, 0, 1, 1, 3, 3, 3, 3];
const split = { length: labels.length, label: (index: number) => labels[index] as number };

test("balanced weights: every class with images has the same sum, and the mean weight of an image is 1", () => {
  const weights = weightsOfClasses("balanced", names, split);
  assert.deepEqual([...weights], [12 / 18, 2, 0, 1]);
  const sums = names.map((_, c) => labels.filter((label) => label === c).length * (weights[c] as number));
  assert.deepEqual(sums, [4, 4, 0, 4]);
});

test("weights by name, 1 for the others; none is 1 for all", () => {
  assert.deepEqual([...weightsOfClasses({ dog: 2.5, fox: 0.5 }, names, split)], [1, 2.5, 1, 0.5]);
  assert.deepEqual([...weightsOfClasses("none", names, split)], [1, 1, 1, 1]);
});

test("names that are no class, and weights that are none, are refused", () => {
  assert.throws(
    () => weightsOfClasses({ dog: 1, cow: 2 }, names, split),
    new ConfigError("classWeights: expected names of classes (cat, dog, eel, fox), got cow; correct the recipe"),
  );
  for (const weights of [{ dog: 0 }, { dog: -1 }, { dog: Number.POSITIVE_INFINITY }, "inverse", 2]) {
    assert.equal(classWeightsSchema.safeParse(weights).success, false, String(weights));
  }
});

test("classes named like members of every object have their own weights, or 1", () => {
  const inherited = ["constructor", "toString", "__proto__", "hasOwnProperty"];
  assert.deepEqual([...weightsOfClasses({ driver: 2 }, ["driver", ...inherited], split)], [2, 1, 1, 1, 1]);
  const json = '{"__proto__": 3, "constructor": 4}';
  const weights = classWeightsSchema.parse(JSON.parse(json));
  assert.deepEqual([...weightsOfClasses(weights, inherited, split)], [4, 1, 3, 1]);
  assert.equal(JSON.stringify(structuredClone(weights)), json.replaceAll(" ", ""));
});
