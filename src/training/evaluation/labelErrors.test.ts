/** Confident learning against its definitions in NumPy (scripts/golden/evaluation.py), and by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../../test/assertClose.ts";
import { floats, readGolden } from "../../../test/golden.ts";
import { softmax } from "./classHead.ts";
import { examineLabels } from "./labelErrors.ts";

/** Examines rows of probabilities. */
function examine(rows: readonly ArrayLike<number>[], labels: readonly number[], classes: number) {
  const examiner = examineLabels(labels, classes);
  for (let c = 0; c < classes; c++) examiner.add(rows.map((row) => row[c] as number));
  return examiner.result();
}

test("thresholds, confident joint, suspects and their order are those of the definitions", async () => {
  const golden = await readGolden<{
    readonly classes: number;
    readonly logits: string;
    readonly truth: readonly number[];
    readonly labelErrors: {
      readonly thresholds: readonly (number | null)[];
      readonly confidentJoint: readonly (readonly number[])[];
      readonly estimatedErrors: number;
      readonly suspects: readonly (readonly [image: number, suggested: number, margin: number])[];
    };
  }>("evaluation");
  const { classes, truth, labelErrors: expected } = golden;
  const logits = floats(golden.logits);
  const rows = truth.map((_, i) => softmax(logits.subarray(i * classes, (i + 1) * classes)));
  const found = examine(rows, truth, classes);
  assert.ok(found && expected.suspects.length > 20);
  // Sums of some hundred probabilities, in another order.
  const tolerance = { relative: 1e-12, absolute: 1e-12 };
  const plain = (values: readonly (number | null)[]) => values.map((value) => value ?? -1);
  assertClose(plain(found.thresholds), plain(expected.thresholds), tolerance, "thresholds");
  assert.deepEqual(found.confidentJoint, expected.confidentJoint);
  assertClose([found.estimatedErrors], [expected.estimatedErrors], tolerance, "estimated fraction");
  assert.deepEqual(
    found.suspects.map(({ image, suggested }) => [image, suggested]),
    expected.suspects.map(([image, suggested]) => [image, suggested]),
  );
  const margins = found.suspects.map(({ margin }) => margin);
  assertClose(
    margins,
    expected.suspects.map(([, , margin]) => margin),
    tolerance,
    "margins",
  );
});

test("by hand: thresholds are means, an image below all of them is no evidence; one class only is no evidence at all", () => {
  const rows = [
    [0.9, 0.1],
    [0.7, 0.3],
    [0.2, 0.8],
    [0.15, 0.85],
    [0.45, 0.55],
  ];
  // Thresholds: (0.9 + 0.7 + 0.2) / 3 = 0.6 and (0.85 + 0.55) / 2 = 0.7. The last image is below both.
  const found = examine(rows, [0, 0, 0, 1, 1], 2);
  assert.deepEqual(found?.confidentJoint, [
    [2, 1],
    [0, 1],
  ]);
  assert.deepEqual(
    found?.suspects.map(({ image, label, suggested, probability }) => [image, label, suggested, probability]),
    [[2, 0, 1, 0.8]],
  );
  assert.ok(Math.abs((found?.estimatedErrors ?? 0) - 1 / 5) < 1e-15);
  assert.equal(examine(rows, [1, 1, 1, 1, 1], 2), undefined);
});
