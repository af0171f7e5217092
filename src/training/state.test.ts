import assert from "node:assert/strict";
import { test } from "node:test";
import { finishEpoch, initialPosition, means, positionSchema, record, startWindow } from "./state.ts";

const guessing = Math.log(10);
const step = { loss: 2, correct: 8, images: 16, seconds: 0.5, guessing, stepped: true };

test("sums weigh a batch by its images", () => {
  const position = record(record(initialPosition, step), { ...step, loss: 5, correct: 2, images: 4 });
  assert.deepEqual(means(position.epochTally), {
    loss: (2 * 16 + 5 * 4) / 20,
    accuracy: 10 / 20,
    examplesPerSecond: 20,
  });
  assert.deepEqual([position.images, position.totalImages, position.iteration, position.seconds], [20, 20, 2, 1]);
});

test("a new window keeps the epoch's sums, a new epoch the window's", () => {
  const once = record(initialPosition, step);
  const twice = record(startWindow(once), step);
  assert.deepEqual([twice.windowTally.images, twice.epochTally.images], [16, 32]);
  const next = finishEpoch(twice, { epochs: 2, schedule: { kind: "constant" } }, { testAccuracy: 0.5 });
  assert.deepEqual([next.windowTally.images, next.epochTally.images, next.images], [16, 0, 0]);
  assert.deepEqual([next.epoch, next.totalImages, next.iteration], [1, 32, 2]);
});

test("a last epoch that is cut short ends where the recipe ends", () => {
  const recipe = { epochs: 1.25, schedule: { kind: "constant" } } as const;
  const first = finishEpoch(initialPosition, recipe, { testAccuracy: 0.5 });
  assert.equal(finishEpoch(first, recipe, { testAccuracy: 0.5 }).epoch, 1.25);
});

test("iterations at the loss of guessing count while they are in a row", () => {
  const at = (...losses: readonly number[]) =>
    losses.reduce((position, loss) => record(position, { ...step, loss }), initialPosition).stuckIterations;
  assert.equal(at(guessing, guessing * 1.0099, guessing * 0.9901), 3);
  assert.equal(at(guessing, guessing * 1.011), 0);
  assert.equal(at(guessing, guessing * 0.989, guessing), 1);
});

test("a position survives JSON; one with a hole in it is refused", () => {
  const position = finishEpoch(
    record(initialPosition, step),
    { epochs: 3, schedule: { kind: "plateau", factor: 0.1, patience: 1, reductions: 3 } },
    { testAccuracy: 0.5 },
  );
  const json = JSON.parse(JSON.stringify(position));
  assert.deepEqual(positionSchema.parse(json), position);
  // Runs of earlier versions have none of these.
  const { earlyStopping: _, steps: _steps, sinceStep: _since, rollbacks, ...before } = json;
  const parsed = positionSchema.parse(before);
  assert.deepEqual(parsed.earlyStopping, initialPosition.earlyStopping);
  assert.deepEqual(parsed.rollbacks, initialPosition.rollbacks);
  assert.equal(positionSchema.safeParse({ ...json, rollbacks: { ...rollbacks, factor: undefined } }).success, false);
  for (const key of Object.keys(before)) {
    assert.equal(positionSchema.safeParse({ ...json, [key]: undefined }).success, false, key);
  }
  assert.equal(positionSchema.safeParse({ ...json, iteration: 1.5 }).success, false);
});
