/** The schedule of `small` in experiments, against the recipe's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findRecipe } from "../training/recipe.ts";
import { advance, initialScheduleState, type Schedule } from "../training/schedule.ts";
import { smallSchedule } from "./smallSchedule.ts";

/** Factors of the learning rate after each epoch of a run. */
function factors(schedule: Schedule, total: number): readonly number[] {
  let state = initialScheduleState;
  return Array.from({ length: total }, (_, i) => {
    state = advance(schedule, state, { done: i + 1, total }, { testAccuracy: 0.5 });
    return state.factor;
  });
}

test("in 20, 30 and 60 epochs it is the recipe's; in 5 and 10 it falls twice, where the recipe's falls once or not at all", () => {
  const { schedule: own } = findRecipe("small");
  for (const total of [20, 30, 60])
    assert.deepEqual(factors(smallSchedule, total), factors(own, total), `${total} epochs`);
  const ends = (epochs: number, of: Schedule) =>
    factors(of, epochs).flatMap((factor, i, all) => (factor === (all[i - 1] ?? 1) ? [] : [i + 1]));
  assert.deepEqual(
    [ends(5, smallSchedule), ends(10, smallSchedule)],
    [
      [2, 4],
      [4, 8],
    ],
  );
  assert.deepEqual([ends(5, own), ends(10, own)], [[], [8]]);
});
