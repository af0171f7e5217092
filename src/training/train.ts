/** The training loop. */
import type { Split } from "../dataset/dataset.ts";
import { type Batch, batches, computing } from "../dataset/prepare/batches.ts";
import type { Preparation } from "../dataset/prepare/preparation.ts";
import type { TrainingProgram } from "../engine/engine.ts";
import { NonFiniteError } from "../errors.ts";
import { yieldToEvents } from "../yieldToEvents.ts";
import { headOfLabels } from "./evaluation/classHead.ts";
import { evaluate } from "./evaluation/evaluate.ts";
import { accuracyOf, type Evaluation, type Prediction } from "./evaluation/metrics.ts";
import { checkLoss, checkWeights, diverged } from "./finiteChecks.ts";
import type { ImageShape } from "./objective/cutmix.ts";
import { guessingLoss } from "./objective/labelSettings.ts";
import { createObjective, type Objective } from "./objective/objective.ts";
import type { Optimizer } from "./optimizers/optimizer.ts";
import type { Recipe } from "./recipe.ts";
import { createSampler } from "./sampler.ts";
import { learningRateAt, type RunSteps, runSteps } from "./schedule.ts";
import {
  type BegunIteration,
  count,
  finishEpoch,
  isFinished,
  type Position,
  record,
  startWindow,
  type Tally,
  withBatch,
} from "./state.ts";

/** A program to train, the data, and the recipe. */
export interface Training {
  readonly program: TrainingProgram;
  readonly optimizer: Optimizer;
  readonly recipe: Recipe;
  readonly train: Split;
  readonly test: Split;
  readonly preparation: Preparation;
  readonly classNames: readonly string[];
  /** Shape of a prepared image, [channels, height, width]. */
  readonly imageShape: ImageShape;
  /** The learning rate after n iterations. Default: the recipe's schedule. */
  readonly rateOf?: ((iterations: number) => number) | undefined;
}

/** Callbacks of the training loop. A run can resume from the position of `betweenIterations` or `onEvaluation`. */
export interface TrainingListener {
  /** Called after each iteration, once its results have been read. */
  onIteration(position: Position): void;
  /** Called every 20 iterations, with their sums. */
  onWindow(position: Position, window: Tally, learningRate: number): Promise<void>;
  /** True if `betweenIterations` would save or stop: it is then called at once, otherwise when the engine's results are next read. */
  isDue(): boolean;
  /**
   * Called between two iterations, to save: the weights are known to be finite. `interrupt` stops training; `time` also stops it, after an evaluation
   * if there was none just before.
   */
  betweenIterations(position: Position): Promise<"interrupt" | "time" | undefined>;
  onEvaluationProgress(images: number): void;
  /** Called with each image's prediction of an evaluation, in order. */
  readonly onPrediction?: ((prediction: Prediction) => void) | undefined;
  /** Called after each epoch, and when training stops for time, with the sums over the epoch so far. */
  onEvaluation(position: Position, epoch: Tally, evaluation: Evaluation, learningRate: number): Promise<void>;
  /** Called once if the loss does not improve on guessing. */
  onStuck(position: Position): void;
  /** Called at the end of a run that stops before the recipe's last epoch. */
  onEarlyStop(position: Position): void;
  /** Aborts an evaluation in progress, as `interrupt` does between iterations. */
  readonly signal: AbortSignal | undefined;
}

/** End of a call of `train`. */
export type TrainingEnd = "finished" | "interrupt" | "time";

/** Iterations between two calls of `onWindow`. */
const WINDOW_ITERATIONS = 20;
/** Iterations at the loss of guessing before a warning. */
const STUCK_ITERATIONS = 200;

/**
 * Trains from a position to the recipe's last epoch, or until it stops early. Every random choice is a function of the recipe's seed and the position. A
 * run resumed from a saved position ends with the same weights, bit for bit, as an uninterrupted one.
 *
 * Throws DivergenceError if the loss, a weight, an output of the evaluation or the test loss becomes NaN or infinite; the weights are then unusable.
 */
export async function train(
  training: Training,
  start: Position,
  listener: TrainingListener,
): Promise<{ readonly position: Position; readonly end: TrainingEnd }> {
  const { recipe } = training;
  const sample = createSampler(recipe.sampler, training.train, recipe.seed);
  const context = epochContext(training, listener);
  let position = start;
  while (!isFinished(position, recipe)) {
    const all = sample(position.epoch);
    const fraction = Math.min(1, recipe.epochs - position.epoch);
    const order = all.subarray(0, Math.max(1, Math.round(fraction * all.length)));
    const ran = await runEpoch(context, position, order);
    position = ran.position;
    if (ran.end === "interrupt") return { position, end: ran.end };
    const evaluation = await evaluateAverage(training, listener).catch((error: unknown) => {
      if (!(error instanceof NonFiniteError)) throw error;
      throw diverged("outputs of the evaluation are NaN or infinite", position.iteration, training.recipe);
    });
    if (!evaluation) return { position, end: "interrupt" };
    const { loss: testLoss } = evaluation;
    const testAccuracy = accuracyOf(evaluation);
    if (!Number.isFinite(testLoss)) throw diverged(`the test loss is ${testLoss}`, position.iteration, recipe);
    const { epochTally } = position;
    if (ran.end === "finished") position = finishEpoch(position, recipe, { testAccuracy, testLoss });
    await listener.onEvaluation(position, epochTally, evaluation, ran.learningRate);
    if (ran.end === "time") return { position, end: ran.end };
    const stop = isFinished(position, recipe) ? undefined : await listener.betweenIterations(position);
    if (stop) return { position, end: stop };
  }
  if (position.epoch < recipe.epochs) listener.onEarlyStop(position);
  return { position, end: "finished" };
}

/** Evaluates the averaged weights, or the weights if they are not averaged. Undefined if it was aborted. */
function evaluateAverage(
  { program, optimizer, recipe, test: split, preparation, classNames }: Training,
  { onEvaluationProgress: onProgress, onPrediction, signal }: TrainingListener,
): Promise<Evaluation | undefined> {
  const { seed } = recipe;
  const options = { split, preparation, classNames, head: headOfLabels(split), seed, onProgress, onPrediction, signal };
  return optimizer.withAverage(() => evaluate(program, options));
}

/** The part of training that is the same in every epoch. */
interface EpochContext {
  readonly training: Training;
  readonly listener: TrainingListener;
  readonly objective: Objective;
  readonly steps: RunSteps;
  /** The loss of guessing. */
  readonly guessing: number;
}

/** Results of an iteration, read back. */
interface Reading {
  readonly loss: number;
  readonly correct: number;
}

/** Progress of an epoch. Started iterations may be ahead of those whose results have been read. */
interface EpochState {
  /** Position after the last iteration that was read. The weights are those of this position only if `unread` is empty. */
  position: Position;
  /** Position after the last started iteration. */
  begun: Position;
  /** Started iterations not yet read, in order; at most `readback.everySteps`. */
  readonly unread: (BegunIteration & { readonly learningRate: number })[];
  /** Their results, and those of the iteration about to be counted as started. */
  readonly readings: Promise<Reading>[];
  /** Start time of the first of them. */
  since: number;
  learningRate: number;
}

/** Prepares the epochs of a run. */
function epochContext(training: Training, listener: TrainingListener): EpochContext {
  const { recipe, program, train, classNames, imageShape } = training;
  return {
    training,
    listener,
    objective: createObjective(
      recipe,
      { batchSize: program.batchSize, imageShape },
      train,
      classNames,
      program.readback.everySteps,
    ),
    steps: runSteps(recipe, train.length),
    guessing: guessingLoss(recipe, classNames, train),
  };
}

/**
 * Trains from a position in an epoch to the epoch's end, or until the listener stops it. While an iteration computes, the next batch is prepared.
 *
 * Results are read after at most `readback.everySteps` iterations, at the end of the epoch, and before the listener may save or stop. Throws
 * DivergenceError for a NaN or infinite loss or weight.
 */
async function runEpoch(
  context: EpochContext,
  start: Position,
  order: Uint32Array,
): Promise<{ readonly position: Position; readonly end: TrainingEnd; readonly learningRate: number }> {
  const { training, listener, steps } = context;
  const { program, recipe, train: split, preparation } = training;
  const state: EpochState = {
    position: start,
    begun: start,
    unread: [],
    readings: [],
    since: performance.now(),
    // For an epoch that lacks only its evaluation: the learning rate of its last step, as in the log.
    learningRate: learningRateAt(recipe, steps, { ...start, steps: Math.max(0, start.steps - 1) }),
  };
  const { images: from, epoch } = start;
  const { batchSize, rows } = program;
  const source = batches({ split, preparation, batchSize, rows, order, from, epoch, into: () => program.nextInput() });
  for await (const { batch, result } of computing(source, (batch) => beginIteration(context, state.begun, batch))) {
    state.readings.push(result);
    const isLast = state.begun.images + batch.count >= order.length;
    const isRead = isLast || state.readings.length >= program.readback.everySteps || listener.isDue();
    const readings = isRead ? await readLosses(context, state) : undefined;
    await learn(context, state, batch.count, isLast);
    if (readings) await recordIterations(context, state, readings);
    // Native calls block the event loop: let it run timers and signal handlers between iterations.
    await yieldToEvents();
    if (!readings) continue;
    const { position, learningRate } = state;
    const stop = isLast ? undefined : await listener.betweenIterations(position);
    if (stop) return { position, end: stop, learningRate };
    state.since = performance.now();
  }
  return { position: state.position, end: "finished", learningRate: state.learningRate };
}

/** Starts forward and backward on a batch; `position` is the one before it. */
async function beginIteration(
  { training: { program, recipe }, objective }: EpochContext,
  { totalImages: first }: Position,
  batch: Batch,
): Promise<Reading> {
  const { targets, countCorrect } = objective.prepare(batch, first);
  const draws = { seed: recipe.seed, first };
  const { loss, logits } = await program.forwardBackward(batch.images, targets, batch.count, draws);
  // Outputs that are NaN cannot be counted: `readLosses` ends training by the loss.
  return { loss, correct: Number.isFinite(loss) ? countCorrect(logits) : 0 };
}

/** Reads the results of all started iterations, in order. Throws DivergenceError for the first loss that is NaN or infinite. */
async function readLosses({ training }: EpochContext, state: EpochState): Promise<readonly Reading[]> {
  const { program, recipe } = training;
  const readings: Reading[] = [];
  for (const reading of state.readings.splice(0)) {
    readings.push(await reading);
    await checkLoss(program, readings.at(-1)?.loss, state.position.iteration + readings.length, recipe);
  }
  return readings;
}

/** Adds the gradients of a batch, and takes the optimizer's step if they complete one. */
async function learn(
  { training, steps }: EpochContext,
  state: EpochState,
  images: number,
  isLastOfEpoch: boolean,
): Promise<void> {
  const { optimizer, recipe, rateOf } = training;
  const { begun } = state;
  const learningRate = rateOf?.(begun.iteration) ?? learningRateAt(recipe, steps, begun);
  const added = withBatch(begun.sinceStep, images);
  optimizer.addBatch(images, added.batches === 1);
  const stepped = added.batches >= recipe.accumulate || isLastOfEpoch;
  if (stepped) await optimizer.step({ learningRate, step: begun.steps + 1, images: added.images });
  const iteration = { images, stepped, learningRate };
  state.unread.push(iteration);
  state.begun = count(begun, iteration);
  state.learningRate = learningRate;
}

/** Checks the weights, and reports the iterations that were read. */
async function recordIterations(
  { training: { program, recipe }, listener, guessing }: EpochContext,
  state: EpochState,
  readings: readonly Reading[],
): Promise<void> {
  const iterations = state.unread.splice(0);
  if (iterations.some(({ stepped }) => stepped)) await checkWeights(program, state.begun.iteration, recipe);
  const seconds = (performance.now() - state.since) / 1000 / iterations.length;
  for (const [i, { learningRate, ...iteration }] of iterations.entries()) {
    const { loss, correct } = readings[i] as Reading;
    state.position = record(state.position, { ...iteration, loss, correct, seconds, guessing });
    listener.onIteration(state.position);
    if (state.position.iteration % WINDOW_ITERATIONS === 0) {
      await listener.onWindow(state.position, state.position.windowTally, learningRate);
      state.position = startWindow(state.position);
    }
    if (state.position.stuckIterations === STUCK_ITERATIONS) listener.onStuck(state.position);
  }
  state.begun = state.position;
}
