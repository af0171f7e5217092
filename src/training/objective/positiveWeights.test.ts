/** Weights of present labels: balanced, one number, by name, and names that are no label. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError } from "../../errors.ts";
import { positiveWeightsOf, positiveWeightsSchema } from "./positiveWeights.ts";

const names = ["cat", "dog", "eel", "fox"];
const labelSets = [[], [0], [0, 1], [0, 1, 3]];
const images = [0, 1, 2, 3, 1, 3, 3, 3];
const split = { length: images.length, label: (index: number) => images[index] as number, labelSets };

test("balanced: images without the label / images with it; 1 for a label without images, or of all images", () => {
  assert.deepEqual(positiveWeightsOf("balanced", names, split), [1 / 7, 3 / 5, 1, 1]);
  const all = { length: 2, label: () => 1, labelSets };
  assert.deepEqual(positiveWeightsOf("balanced", ["cat", "dog"], all), [1, 1]);
});

test("one number for all labels; weights by name, 1 for others, also for names that every object inherits", () => {
  assert.deepEqual(positiveWeightsOf("none", names, split), [1, 1, 1, 1]);
  assert.deepEqual(positiveWeightsOf(2.5, names, split), [2.5, 2.5, 2.5, 2.5]);
  assert.deepEqual(positiveWeightsOf({ dog: 3 }, ["constructor", "dog"], split), [1, 3]);
  const proto = positiveWeightsSchema.parse(JSON.parse('{"__proto__": 3}'));
  assert.deepEqual(positiveWeightsOf(proto, ["__proto__", "dog"], split), [3, 1]);
});

test("names that are no label, and weights that are none, are refused", () => {
  assert.throws(
    () => positiveWeightsOf({ dgo: 1 }, names, split),
    new ConfigError(
      "positiveWeights: expected labels (cat, dog, eel, fox), got dgo (did you mean dog?); correct the recipe",
    ),
  );
  for (const weights of [{ dog: 0 }, 0, -1, Number.POSITIVE_INFINITY, [2], null, "inverse"]) {
    assert.equal(positiveWeightsSchema.safeParse(weights).success, false, String(weights));
  }
});
