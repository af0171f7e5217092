/** Temperature against SciPy (scripts/golden/evaluation.py), rejection thresholds by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { floats, readGolden } from "../../../test/golden.ts";
import { headOfModel, softmaxHead } from "./classHead.ts";
import { countEvaluation } from "./metrics.ts";
import { chooseThreshold } from "./rejection.ts";
import { fitTemperature } from "./temperature.ts";

const golden = await readGolden<{
  readonly classes: number;
  readonly logits: string;
  readonly truth: readonly number[];
  readonly temperature: number;
  readonly temperatureLoss: number;
}>("evaluation");
const names = (classes: number) => Array.from({ length: classes }, (_, c) => `class ${c}`);

test("the temperature is the root that SciPy finds, and the loss at it the least", () => {
  const { classes, truth, temperature, temperatureLoss } = golden;
  const logits = floats(golden.logits);
  const rows = truth.map((_, i) => logits.subarray(i * classes, (i + 1) * classes));
  const fitted = fitTemperature({ rows, labels: truth }, softmaxHead);
  // The derivative is a sum of 1,800 terms: it is 0 within 1e-13, and its slope is about 1.
  assertClose([fitted], [temperature], { relative: 1e-11, absolute: 0 }, "temperature");
  const head = headOfModel({ temperature: fitted }, classes, "model");
  const counter = countEvaluation(names(classes), { head });
  counter.add(head.scores(logits, truth.length), truth, truth.length);
  assertClose([counter.result().loss], [temperatureLoss], { relative: 1e-12, absolute: 0 }, "loss");
});

test("no temperature where none is best: no mistakes, or scores that do not tell the classes apart", () => {
  const data = (...rows: readonly (readonly number[])[]) => rows.map((row) => Float64Array.from(row));
  const right = { rows: data([2, 0], [0, 1]), labels: [0, 1] };
  assert.throws(() => fitTemperature(right, softmaxHead), {
    name: "DataError",
    message: /expected mistakes among the 2/,
  });
  const wrong = { rows: data([2, 0], [2, 0]), labels: [1, 1] };
  assert.throws(() => fitTemperature(wrong, softmaxHead), { name: "DataError", message: /do not tell their classes/ });
});

test("thresholds by hand: coverage, error, ties, goals out of reach", () => {
  const images = [
    [0.9, true],
    [0.8, true],
    [0.8, false],
    [0.6, true],
    [0.5, false],
  ].map(([probability, isCorrect]) => ({ probability: probability as number, isCorrect: isCorrect as boolean }));
  assert.equal(chooseThreshold(images, { coverage: 0.2 }), (0.9 + 0.8) / 2);
  assert.equal(chooseThreshold(images, { coverage: 0.4 }), (0.8 + 0.6) / 2, "both of the tie");
  assert.equal(chooseThreshold(images, { coverage: 0.81 }), 0.25, "all images");
  assert.equal(chooseThreshold(images, { maxError: 0.1 }), (0.9 + 0.8) / 2);
  assert.equal(chooseThreshold(images, { maxError: 0.25 }), (0.6 + 0.5) / 2, "error 1/3 above 0.8, 1/4 above 0.6");
  // 0.07 · 100 and 0.29 · 100 are no whole numbers in binary.
  const hundred = Array.from({ length: 100 }, (_, i) => ({ probability: 1 - i / 200, isCorrect: i < 71 }));
  assert.equal(
    hundred.filter(({ probability }) => probability >= chooseThreshold(hundred, { coverage: 0.07 })).length,
    7,
  );
  assert.ok(chooseThreshold(hundred, { maxError: 0.29 }) < 0.51, "all images");
  const wrong = images.filter(({ isCorrect }) => !isCorrect);
  assert.throws(() => chooseThreshold(wrong, { maxError: 0.5 }), { name: "DataError", message: /max-error/ });
  assert.throws(() => chooseThreshold(images, { coverage: 1 }), { name: "ConfigError", message: /coverage: expected/ });
  for (const goals of [{}, { coverage: 0.5, maxError: 0.5 }]) {
    assert.throws(() => chooseThreshold(images, goals), {
      name: "ConfigError",
      message: /either coverage or maxError/,
    });
  }
  assert.ok(
    chooseThreshold(
      [
        { probability: 1, isCorrect: true },
        { probability: 1, isCorrect: true },
      ],
      { coverage: 0.5 },
    ) < 1,
  );
});

test("coverage and accuracy of the accepted images; a temperature divides the scores", () => {
  const scores = Float64Array.from([0.9, 0.8, 0.8, 0.6].flatMap((p) => [Math.log(p), Math.log(1 - p)]));
  const counter = countEvaluation(names(2), { threshold: 0.7 });
  counter.add(scores, [0, 0, 1, 0], 4);
  assert.deepEqual(counter.result().rejection, { threshold: 0.7, accepted: 3, coverage: 0.75, accuracy: 2 / 3 });
  const none = countEvaluation(names(2), { threshold: [0.95, 0.95] });
  none.add(scores, [0, 0, 1, 0], 4);
  assert.deepEqual(none.result().rejection, { threshold: [0.95, 0.95], accepted: 0, coverage: 0, accuracy: null });
  const head = headOfModel({ temperature: 2 }, 2, "model");
  assert.deepEqual([...head.scores(Float32Array.of(3, -1), 1)], [1.5, -0.5]);
  const binary = headOfModel({ head: "sigmoid", temperature: 2 }, 1, "model");
  assertClose(
    [...binary.probabilities(binary.scores(Float32Array.of(2), 1))],
    [1 / (1 + Math.E), Math.E / (1 + Math.E)],
    { relative: 1e-15, absolute: 1e-16 },
    "binary",
  );
});
