/** The training loop. */
import type { Split } from "../dataset/dataset.ts";
import { batches } from "../dataset/prepare/batches.ts";
import type { Preparation } from "../dataset/prepare/preparation.ts";
import type { TrainingProgram } from "../engine/engine.ts";
import { DivergenceError, NonFiniteError } from "../errors.ts";
import { evaluate } from "./evaluation/evaluate.ts";
import type { Evaluation } from "./evaluation/metrics.ts";
import { createObjective, type Objective } from "./objective/objective.ts";
import type { Optimizer } from "./optimizers/optimizer.ts";
import type { Recipe } from "./recipe.ts";
import { createSampler } from "./sampler.ts";
import { learningRateAt, type RunSteps, runSteps } from "./schedule.ts";
import { finishEpoch, isFinished, type Position, record, startWindow, type Tally, withBatch } from "./state.ts";

/** What is trained, on what, and how. */
export interface Training {
  readonly program: TrainingProgram;
  readonly optimizer: Optimizer;
  readonly recipe: Recipe;
  readonly train: Split;
  readonly test: Split;
  readonly preparation: Preparation;
  readonly classNames: readonly string[];
  /** The learning rate after so many iterations. Default: as the recipe's schedule has it. */
  readonly rateOf?: ((iterations: number) => number) | undefined;
}

/** Told what happens, and asked when to stop. Positions are such that training can go on from them. */
export interface TrainingListener {
  onIteration(position: Position): void;
  /** Every 20 iterations, with the sums over those. */
  onWindow(position: Position, window: Tally, learningRate: number): Promise<void>;
  /** Between two iterations: the place to save. `interrupt` stops there, `time` too, with an evaluation if there was none just before. */
  betweenIterations(position: Position): Promise<"interrupt" | "time" | undefined>;
  onEvaluationProgress(images: number): void;
  /** After each epoch, and where training stops for time; with the sums over the epoch so far. */
  onEvaluation(position: Position, epoch: Tally, evaluation: Evaluation, learningRate: number): Promise<void>;
  /** Once, when the loss has stayed at that of guessing. */
  onStuck(position: Position): void;
  /** At the end, before the recipe's last epoch, of a run whose recipe stops early. */
  onEarlyStop(position: Position): void;
  /** Ends an evaluation under way, as `interrupt` does between iterations. */
  readonly signal: AbortSignal | undefined;
}

/** How a call of `train` ended. */
export type TrainingEnd = "finished" | "interrupt" | "time";

/** Iterations between `onWindow`s. */
const WINDOW_ITERATIONS = 20;
/** Iterations at the loss of guessing before a warning. */
const STUCK_ITERATIONS = 200;

/**
 * Trains from a position to the recipe's last epoch, or until it stops early. Every random choice is a function of the recipe's seed and the position, so that
 * going on from a saved position makes the same weights to the bit as never having stopped.
 *
 * Throws DivergenceError if the loss, a weight or an output of the evaluation is no longer finite; the weights are then of no use.
 */
export async function train(
  training: Training,
  start: Position,
  listener: TrainingListener,
): Promise<{ readonly position: Position; readonly end: TrainingEnd }> {
  const { recipe } = training;
  const steps = runSteps(recipe, training.train.length);
  const sample = createSampler(recipe.sampler, training.train, recipe.seed);
  const objective = createObjective(recipe, training.program.batchSize, training.train, training.classNames);
  let position = start;
  while (!isFinished(position, recipe)) {
    const all = sample(position.epoch);
    const share = Math.min(1, recipe.epochs - position.epoch);
    const epochImages = all.subarray(0, Math.max(1, Math.round(share * all.length)));
    const ran = await runEpoch(training, objective, position, epochImages, steps, listener);
    position = ran.position;
    if (ran.end === "interrupt") return ran;
    const evaluation = await training.optimizer
      .withAverage(() =>
        evaluate(training.program, {
          split: training.test,
          preparation: training.preparation,
          classNames: training.classNames,
          seed: recipe.seed,
          onProgress: listener.onEvaluationProgress,
          signal: listener.signal,
        }),
      )
      .catch((error: unknown) => {
        throw error instanceof NonFiniteError
          ? diverged("the outputs of the evaluation are not finite", ran.position.iteration, recipe)
          : error;
      });
    if (!evaluation) return { position, end: "interrupt" };
    const { epochTally } = position;
    if (ran.end === "finished") position = finishEpoch(position, recipe, evaluation.top1Accuracy);
    await listener.onEvaluation(position, epochTally, evaluation, ran.rate);
    if (ran.end === "time") return ran;
    const stop = isFinished(position, recipe) ? undefined : await listener.betweenIterations(position);
    if (stop) return { position, end: stop };
  }
  if (position.epoch < recipe.epochs) listener.onEarlyStop(position);
  return { position, end: "finished" };
}

async function runEpoch(
  training: Training,
  objective: Objective,
  start: Position,
  order: Uint32Array,
  steps: RunSteps,
  listener: TrainingListener,
): Promise<{ position: Position; end: TrainingEnd; rate: number }> {
  const { program, recipe, train: split, preparation } = training;
  const guessing = Math.log(training.classNames.length);
  let position = start;
  // Of an epoch that lacks its evaluation only: that of its last step, as the log has it.
  let rate = learningRateAt(recipe, steps, { ...start, steps: Math.max(0, start.steps - 1) });
  let before = performance.now();
  for await (const batch of batches({
    split,
    preparation,
    batchSize: program.batchSize,
    order,
    from: start.images,
    epoch: start.epoch,
    into: program.input,
  })) {
    const draws = { seed: recipe.seed, first: position.totalImages };
    const targets = objective.prepare(batch, position.totalImages);
    const { loss, logits } = await program.forwardBackward(batch.images, targets, batch.count, draws);
    checkLoss(program, loss, position.iteration + 1, recipe);
    rate = training.rateOf?.(position.iteration) ?? learningRateAt(recipe, steps, position);
    const stepped = learn(training, position, batch.count, order.length, rate);
    const seconds = (performance.now() - before) / 1000;
    const correct = objective.countCorrect(logits, batch);
    position = record(position, { loss, correct, images: batch.count, seconds, guessing, stepped });
    listener.onIteration(position);
    if (position.iteration % WINDOW_ITERATIONS === 0) {
      await listener.onWindow(position, position.windowTally, rate);
      position = startWindow(position);
    }
    if (position.stuckIterations === STUCK_ITERATIONS) listener.onStuck(position);
    // Native calls block timers and signals: let them in between iterations.
    await new Promise(setImmediate);
    const stop = position.images < order.length ? await listener.betweenIterations(position) : undefined;
    if (stop) return { position, end: stop, rate };
    before = performance.now();
  }
  return { position, end: "finished", rate };
}

/** Takes in the gradients of a batch of so many images, of an epoch of so many; whether that made a step. */
function learn(
  { program, optimizer, recipe }: Training,
  { sinceStep, steps, images, iteration }: Position,
  count: number,
  epochImages: number,
  learningRate: number,
): boolean {
  const taken = withBatch(sinceStep, count);
  optimizer.addBatch(count, taken.batches === 1);
  if (taken.batches < recipe.accumulate && images + count < epochImages) return false;
  optimizer.step({ learningRate, step: steps + 1, images: taken.images });
  checkWeights(program, iteration + 1, recipe);
  return true;
}

function checkLoss(program: TrainingProgram, loss: number, iteration: number, recipe: Recipe): void {
  if (Number.isFinite(loss)) return;
  const name = program.firstNonFinite("values") ?? program.firstNonFinite("gradients");
  throw diverged(`the loss is ${loss}${name ? `, and ${name} or its gradient is not finite` : ""}`, iteration, recipe);
}

function checkWeights(program: TrainingProgram, iteration: number, recipe: Recipe): void {
  const name = program.firstNonFinite("values");
  if (name) throw diverged(`${name} is not finite`, iteration, recipe);
}

function diverged(what: string, iteration: number, { learningRate }: Recipe): DivergenceError {
  return new DivergenceError(
    `training: ${what} after iteration ${iteration}`,
    `start another run with a lower --learning-rate than ${learningRate}, or go on from what was saved with ` +
      "--resume --on-divergence rollback",
  );
}
