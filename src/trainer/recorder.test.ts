// Runs beside others: an epoch of this test would have to take two seconds to change its result.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CheckpointError } from "../errors.ts";
import { countEvaluation, type Evaluation } from "../training/evaluation/metrics.ts";
import { findRecipe } from "../training/recipe.ts";
import { initialPosition, type Position } from "../training/state.ts";
import { recordRun } from "./recorder.ts";

const counter = countEvaluation(["a", "b"]);
counter.add(Float64Array.of(1, -2), [0], 1);
const evaluation: Evaluation = { ...counter.result(), worstMistakes: [], bestPredictions: [] };

/** A recorder whose curves take some milliseconds to draw, or cannot be written; `epoch` records an evaluation. */
function recorderOf(milliseconds: () => number) {
  const drawn: number[] = [];
  const recorder = recordRun({
    recipe: findRecipe("fashion"),
    trainImages: 10,
    testImages: 10,
    storage: {
      saveEverySeconds: Number.POSITIVE_INFINITY,
      bestWeights: "best",
      async append() {},
      async save() {},
      async draw(log) {
        const time = milliseconds();
        if (Number.isNaN(time)) throw new CheckpointError("full");
        const end = performance.now() + time;
        while (performance.now() < end);
        drawn.push(log.length);
      },
    },
    start: initialPosition,
    log: [],
    best: undefined,
    observer: undefined,
    signal: undefined,
    deadline: Number.POSITIVE_INFINITY,
  });
  const epoch = async (n: number) => {
    const position: Position = { ...initialPosition, epoch: n, iteration: n };
    await recorder.listener.onEvaluation?.(position, position.epochTally, evaluation, 0.1);
  };
  return { recorder, drawn, epoch };
}

test("curves that take long are drawn after the first epoch, and again when training ends", async () => {
  const { recorder, drawn, epoch } = recorderOf(() => 100);
  // Less than 2 s: the drawing would take more than a twentieth of the time.
  for (const n of [1, 2, 3]) await epoch(n);
  assert.deepEqual(drawn, [1]);
  await recorder.draw();
  await recorder.draw();
  assert.deepEqual(drawn, [1, 3]);
});

test("curves that could not be written are drawn after the next epoch", async () => {
  const times = [Number.NaN, Number.NaN, 0];
  const { drawn, epoch } = recorderOf(() => times.shift() ?? 0);
  for (const n of [1, 2, 3]) await epoch(n);
  assert.deepEqual(drawn, [3]);
});
