/** Training in memory on images with several labels or none, held out by stratification. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromArrays } from "../dataset/arrays.ts";
import { createReferenceEngine } from "../engine/reference/reference.ts";
import { flatten, linear } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import { createClassifier } from "../model/networkClassifier.ts";
import { trainNetwork } from "./trainNetwork.ts";

const side = 2;
/** One pixel for each label. */
const labels = Array.from({ length: 40 }, (_, i) => ["a", "b", "c"].filter((_name, c) => (i >> c) & 1));
const images = Uint8Array.from({ length: 40 * side * side }, (_, p) =>
  (Math.floor(p / 4) >> (p % 4)) & 1 && p % 4 < 3 ? 220 : 20,
);
const network = {
  name: "tiny",
  source: "",
  deviations: [],
  input: [1, side, side] as const,
  layers: [flatten("flatten"), linear("fc", { outFeatures: 3 })] as readonly AnyLayer[],
};

test("a network in memory learns label sets, fits thresholds, and evaluates them", async () => {
  const dataset = fromArrays(images, labels, { width: side, height: side });
  assert.deepEqual(dataset.classNames, ["a", "b", "c"]);
  assert.equal(dataset.validation?.length, 8);
  const engine = createReferenceEngine();
  const options = { batchSize: 8, learningRate: 1, epochs: 20, normalization: "unit", seed: 1 } as const;
  const trained = await trainNetwork({ network, dataset, engine, thresholds: "fitted", ...options });
  const { model, evaluation } = trained;
  assert.equal(model.head, "sigmoid");
  assert.equal(model.thresholds?.length, 3);
  assert.equal(evaluation?.multiLabel?.exactMatch, 1);
  const classifier = await createClassifier(model, { engine });
  const again = await classifier.evaluate(dataset.test);
  assert.deepEqual(again?.multiLabel?.threshold, model.thresholds);
  assert.equal(again?.multiLabel?.exactMatch, 1);
  await classifier.close();
  engine.close();
});

test("labels that are no lists of classes are named", () => {
  const of = (own: unknown) => () =>
    fromArrays(images.subarray(0, 8), [["a"], own] as string[][], {
      width: side,
      height: side,
      classNames: ["a", "b"],
    });
  assert.throws(of(["a", "x"]), { name: "DataError", message: /data: training image 1: label: expected one of a, b/ });
  assert.throws(of("a"), /image 1: expected a list of classes, got string/);
  assert.throws(of([0, 0]), /image 1: expected each class once, got 0 twice/);
  assert.throws(of([2]), /label: expected a whole number from 0 to 1, got 2/);
});
