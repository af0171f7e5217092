/** Training state outside tensors: position, schedule, early stopping. */
import * as z from "zod/mini";
import { nonnegative, positive, wholeNumber } from "../schema.ts";
import { earlyStoppingStateSchema, initialEarlyStopping, stopsEarly, watch } from "./earlyStopping.ts";
import type { Evaluated } from "./monitor.ts";
import type { Recipe } from "./recipe.ts";
import { advance, initialScheduleState } from "./schedule.ts";

const tallySchema = z.object({
  /** Sum over images. */
  loss: z.number(),
  /** A fraction for mixed images. */
  correct: z.number(),
  images: z.int(),
  seconds: z.number(),
});

/** Sums over a part of training. */
export type Tally = z.infer<typeof tallySchema>;

/** Batches whose gradients have been added, and their images. */
const batchesSchema = z.object({ batches: wholeNumber, images: wholeNumber });
/** Rollbacks to a checkpoint after divergence. */
const rollbacksSchema = z.object({
  count: wholeNumber,
  /** Product of their factors on the learning rate. */
  factor: positive,
  /** Iteration of the checkpoint of the last one. */
  iteration: wholeNumber,
});

export type Rollbacks = z.infer<typeof rollbacksSchema>;

const noRollbacks: Rollbacks = { count: 0, factor: 1, iteration: 0 };

/** Everything except tensors that a resumed run needs to end bit for bit like an uninterrupted one. */
export const positionSchema = z.object({
  /** Completed epochs; fractional only after a partial last epoch. */
  epoch: nonnegative,
  /** Number of images of the current epoch so far. */
  images: wholeNumber,
  iteration: wholeNumber,
  totalImages: wholeNumber,
  /** Optimizer steps: fewer than iterations if a step uses several batches. Absent in runs of versions without accumulation. */
  steps: z._default(wholeNumber, 0),
  /** Batches since the optimizer's last step. */
  sinceStep: z._default(batchesSchema, { batches: 0, images: 0 }),
  /** Training time, without interruptions and evaluations. */
  seconds: nonnegative,
  epochTally: tallySchema,
  /** Sums since the last line of the log. */
  windowTally: tallySchema,
  schedule: z.object({
    factor: z.number(),
    bestAccuracy: z.number(),
    bestLoss: z.optional(z.number()),
    evaluationsSinceBest: z.int(),
    reductions: z.int(),
  }),
  /** Missing in checkpoints of 0.1. */
  earlyStopping: z._default(earlyStoppingStateSchema, initialEarlyStopping),
  rollbacks: z._default(rollbacksSchema, noRollbacks),
  /** Iterations in a row with a loss within 1 % of guessing. */
  stuckIterations: z.int(),
});

export type Position = z.infer<typeof positionSchema>;

const nothing: Tally = { loss: 0, correct: 0, images: 0, seconds: 0 };

/** The position before the first iteration. */
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
export interface IterationResult extends BegunIteration {
  readonly loss: number;
  readonly correct: number;
  readonly seconds: number;
  readonly guessing: number;
}

/** The part of an iteration that is known when it begins. */
export interface BegunIteration {
  readonly images: number;
  /** True if the optimizer took a step. */
  readonly stepped: boolean;
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
    ...count(position, result),
    seconds: position.seconds + seconds,
    epochTally: add(position.epochTally),
    windowTally: add(position.windowTally),
    stuckIterations: stuck ? position.stuckIterations + 1 : 0,
  };
}

/** The position after one more iteration whose loss has not been read: only the counts differ. */
export function count(position: Position, { images, stepped }: BegunIteration): Position {
  const { steps, sinceStep } = position;
  return {
    ...position,
    images: position.images + images,
    iteration: position.iteration + 1,
    totalImages: position.totalImages + images,
    steps: stepped ? steps + 1 : steps,
    sinceStep: stepped ? initialPosition.sinceStep : withBatch(sinceStep, images),
  };
}

/** One more batch since the optimizer's last step. */
export function withBatch({ batches, images }: Position["sinceStep"], added: number): Position["sinceStep"] {
  return { batches: batches + 1, images: images + added };
}

/** The position with an empty log window. */
export function startWindow(position: Position): Position {
  return { ...position, windowTally: nothing };
}

/** The position at the start of the next epoch; after the recipe's last epoch, the end of training. */
export function finishEpoch(
  position: Position,
  recipe: Pick<Recipe, "epochs" | "schedule" | "earlyStopping" | "monitor">,
  evaluated: Evaluated,
): Position {
  const { epochs: total, monitor } = recipe;
  const epoch = Math.min(position.epoch + 1, total);
  const schedule = advance(recipe.schedule, position.schedule, { done: epoch, total }, evaluated, monitor);
  const earlyStopping = watch(recipe.earlyStopping, position.earlyStopping, evaluated, monitor);
  return { ...position, epoch, images: 0, epochTally: nothing, schedule, earlyStopping };
}

/** True at the end of training: the recipe's epochs are done, or it stops early. */
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
