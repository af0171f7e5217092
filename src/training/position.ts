import { z } from "zod";
import type { Recipe } from "./recipe.ts";
import { advance, initialScheduleState } from "./schedule.ts";

const tallySchema = z.object({
  /** Sum over images. */
  loss: z.number(),
  correct: z.int(),
  images: z.int(),
  seconds: z.number(),
});

/** Sums over some stretch of training. */
export type Tally = z.infer<typeof tallySchema>;

/** How often training has gone back to a checkpoint after it diverged. */
const rollbacksSchema = z.object({
  count: z.int().nonnegative(),
  /** On the learning rate, of all of them together. */
  factor: z.number().positive(),
  /** The iteration that the last one went back to. */
  iteration: z.int().nonnegative(),
});

export type Rollbacks = z.infer<typeof rollbacksSchema>;

const noRollbacks: Rollbacks = { count: 0, factor: 1, iteration: 0 };

/** Everything besides tensors that training needs to go on as if it had never stopped. */
export const positionSchema = z.object({
  /** Epochs done; a fraction only after a last epoch that is cut short. */
  epoch: z.number().nonnegative(),
  /** Images of the current epoch done. */
  images: z.int().nonnegative(),
  iteration: z.int().nonnegative(),
  totalImages: z.int().nonnegative(),
  /** Of training, interruptions and evaluations apart. */
  seconds: z.number().nonnegative(),
  epochTally: tallySchema,
  /** Since the last line of the log. */
  windowTally: tallySchema,
  schedule: z.object({
    factor: z.number(),
    bestAccuracy: z.number(),
    evaluationsSinceBest: z.int(),
    reductions: z.int(),
  }),
  rollbacks: rollbacksSchema.default(noRollbacks),
  /** Iterations in a row with a loss within 1 % of guessing. */
  stuckIterations: z.int(),
});

export type Position = z.infer<typeof positionSchema>;

const nothing: Tally = { loss: 0, correct: 0, images: 0, seconds: 0 };

/** Before the first iteration. */
export const initialPosition: Position = {
  epoch: 0,
  images: 0,
  iteration: 0,
  totalImages: 0,
  seconds: 0,
  epochTally: nothing,
  windowTally: nothing,
  schedule: initialScheduleState,
  rollbacks: noRollbacks,
  stuckIterations: 0,
};

/** One iteration: its mean loss, and the loss of guessing to compare with. */
export interface IterationResult {
  readonly loss: number;
  readonly correct: number;
  readonly images: number;
  readonly seconds: number;
  readonly guessing: number;
}

/** The position after one more iteration. */
export function record(position: Position, result: IterationResult): Position {
  const { loss, correct, images, seconds, guessing } = result;
  const add = (tally: Tally): Tally => ({
    loss: tally.loss + loss * images,
    correct: tally.correct + correct,
    images: tally.images + images,
    seconds: tally.seconds + seconds,
  });
  const stuck = Math.abs(loss - guessing) <= 0.01 * guessing;
  return {
    ...position,
    images: position.images + images,
    iteration: position.iteration + 1,
    totalImages: position.totalImages + images,
    seconds: position.seconds + seconds,
    epochTally: add(position.epochTally),
    windowTally: add(position.windowTally),
    stuckIterations: stuck ? position.stuckIterations + 1 : 0,
  };
}

/** The position with the log's window begun anew. */
export function startWindow(position: Position): Position {
  return { ...position, windowTally: nothing };
}

/** The position at the start of the next epoch; past the recipe's last epoch, the end of training. */
export function finishEpoch(
  position: Position,
  recipe: Pick<Recipe, "epochs" | "schedule">,
  testAccuracy: number,
): Position {
  const epoch = Math.min(position.epoch + 1, recipe.epochs);
  const schedule = advance(recipe.schedule, position.schedule, epoch, testAccuracy);
  return { ...position, epoch, images: 0, epochTally: nothing, schedule };
}

/** Means of a tally. */
export function means({ loss, correct, images, seconds }: Tally): {
  readonly loss: number;
  readonly accuracy: number;
  readonly examplesPerSecond: number;
} {
  return { loss: loss / images, accuracy: correct / images, examplesPerSecond: images / seconds };
}
