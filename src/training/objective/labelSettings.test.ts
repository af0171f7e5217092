/** The loss of guessing, against the loss itself at the best constant probabilities. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { binaryCrossEntropy } from "../../engine/binaryCrossEntropy.ts";
import { guessingLoss } from "./labelSettings.ts";
import { positiveWeightsOf } from "./positiveWeights.ts";
import { writeLabelSetTargets } from "./targets.ts";

const names = ["cat", "dog", "eel", "fox"];
const unread = () => assert.fail("no image is read");

test("one class per image: ln K", () => {
  assert.equal(guessingLoss({}, names, { length: 2, label: () => 1, image: unread }), Math.log(4));
});

test("label sets: the loss of the best constant probability of each label, with any weights", () => {
  const labelSets = [[], [0], [0, 1], [0, 1, 3]];
  const images = [0, 1, 2, 3, 1, 3, 3, 3];
  const { length } = images;
  const split = { length, label: (i: number) => images[i] as number, labelSets, image: unread };
  const targets = new Float32Array(length * names.length);
  writeLabelSetTargets({ labelSmoothing: 0, labelSets, classes: names.length }, images, length, undefined, targets);
  const counts = [7, 5, 0, 4];
  for (const positiveWeights of ["none", "balanced", 3, { cat: 0.5, fox: 2 }] as const) {
    const weights = positiveWeightsOf(positiveWeights, names, split);
    // A label without images has the logit −∞; −50 differs by e^−50.
    const best = counts.map((n, c) => (n === 0 ? -50 : Math.log(((weights[c] as number) * n) / (length - n))));
    const lossOf = (constants: readonly number[]) => {
      const logits = Float32Array.from(targets, (_, i) => constants[i % names.length] as number);
      return binaryCrossEntropy(
        { positiveWeights: weights },
        logits,
        targets,
        length,
        new Float32Array(targets.length),
      );
    };
    const got = guessingLoss({ positiveWeights }, names, split);
    // Logits are f32; at the minimum, the loss depends on them in second order.
    assert.ok(Math.abs(got - lossOf(best)) < 1e-12, JSON.stringify(positiveWeights));
    for (const off of [-0.1, 0.1]) assert.ok(got < lossOf(best.map((z) => z + off)));
  }
});
