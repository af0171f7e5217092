/** Training state outside tensors: position, schedule, early stopping. */
import { z } from "zod";
import { earlyStoppingStateSchema, initialEarlyStopping, stopsEarly, watch } from "./earlyStopping.ts";
import type { Recipe } from "./recipe.ts";
import { advance, initialScheduleState } from "./schedule.ts";

const tallySchema = z.object({
  /** Sum over images. */
  loss: z.number(),
  /** Of mixed pictures, a fraction. */
  correct: z.number(),
  images: z.int(),
  seconds: z.number(),
});

/** Sums over some stretch of training. */
export type Tally = z.infer<typeof tallySchema>;

/** Batches whose gradients are taken in, and their images. */
const batchesSchema = z.object({ batches: z.int().nonnegative(), images: z.int().nonnegative() });
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
  /** Of the optimizer: fewer than iterations where each is made of several batches. Runs of versions without them need neither. */
  steps: z.int().nonnegative().default(0),
  /** Since its last step. */
  sinceStep: batchesSchema.default({ batches: 0, images: 0 }),
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
  /** Checkpoints of 0.1 have none. */
  earlyStopping: earlyStoppingStateSchema.default(initialEarlyStopping),
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
  steps: 0,
  sinceStep: { batches: 0, images: 0 },
  seconds: 0,
  epochTally: nothing,
  windowTally: nothing,
  schedule: initialScheduleState,
  earlyStopping: initialEarlyStopping,
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
  /** Whether the optimizer made a step. */
  readonly stepped: boolean;
}

/** The position after one more iteration. */
export function record(position: Position, result: IterationResult): Position {
  const { loss, correct, images, seconds, guessing, stepped } = result;
  const add = (tally: Tally): Tally => ({
    loss: tally.loss + loss * images,
    correct: tally.correct + correct,
    images: tally.images + images,
    seconds: tally.seconds + seconds,
  });
  const { steps, sinceStep } = position;
  const stuck = Math.abs(loss - guessing) <= 0.01 * guessing;
  return {
    ...position,
    images: position.images + images,
    iteration: position.iteration + 1,
    totalImages: position.totalImages + images,
    steps: stepped ? steps + 1 : steps,
    sinceStep: stepped ? initialPosition.sinceStep : withBatch(sinceStep, images),
    seconds: position.seconds + seconds,
    epochTally: add(position.epochTally),
    windowTally: add(position.windowTally),
    stuckIterations: stuck ? position.stuckIterations + 1 : 0,
  };
}

/** One more batch since the optimizer's last step. */
export function withBatch({ batches, images }: Position["sinceStep"], added: number): Position["sinceStep"] {
  return { batches: batches + 1, images: images + added };
}

/** The position with the log's window begun anew. */
export function startWindow(position: Position): Position {
  return { ...position, windowTally: nothing };
}

/** The position at the start of the next epoch; past the recipe's last epoch, the end of training. */
export function finishEpoch(
  position: Position,
  recipe: Pick<Recipe, "epochs" | "schedule" | "earlyStopping">,
  testAccuracy: number,
): Position {
  const epoch = Math.min(position.epoch + 1, recipe.epochs);
  const schedule = advance(recipe.schedule, position.schedule, epoch, testAccuracy);
  const earlyStopping = watch(recipe.earlyStopping, position.earlyStopping, testAccuracy);
  return { ...position, epoch, images: 0, epochTally: nothing, schedule, earlyStopping };
}

/** Whether training is at its end: the recipe's epochs are done, or it stops early. */
export function isFinished(position: Position, recipe: Pick<Recipe, "epochs" | "earlyStopping">): boolean {
  return position.epoch >= recipe.epochs || stopsEarly(recipe.earlyStopping, position.earlyStopping);
}

/** Means of a tally. */
export function means({ loss, correct, images, seconds }: Tally): {
  readonly loss: number;
  readonly accuracy: number;
  readonly examplesPerSecond: number;
} {
  return { loss: loss / images, accuracy: correct / images, examplesPerSecond: images / seconds };
}
