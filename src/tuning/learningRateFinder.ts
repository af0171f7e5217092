/** Learning-rate range test of `lr-find`. */

import { ConfigError } from "../errors.ts";
import { resolve } from "../settings/resolve.ts";
import type { RunSettings } from "../settings/settings.ts";
import { type CompiledModel, compileModel, runPreparation, runTraining } from "../trainer/compiledModel.ts";
import { trainedRecipe } from "../trainer/fineTunePlan.ts";
import { writeInitialWeights } from "../trainer/initialWeights.ts";
import { oneProcess } from "../trainer/processes.ts";
import { type PreparedRun, prepareRun } from "../trainer/runSetup.ts";
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { createOptimizer } from "../training/optimizers/optimizer.ts";
import { type RateRange, type SweepEnd, sweepRates } from "../training/rateRange.ts";
import {
  type RateLoss,
  type RatePoint,
  type RateSuggestions,
  smoothRates,
  suggestRates,
} from "../training/rateSuggestion.ts";

/** Settings of the training, and the range of learning rates. */
export interface RateFinderOptions extends RunSettings {
  /** Default: 1e-6. */
  readonly minRate?: number;
  /** Default: 10. */
  readonly maxRate?: number;
  /** Number of steps from the lowest to the highest learning rate. Default: 200. */
  readonly iterations?: number;
  /** Stops the sweep within an iteration; the result so far is returned. */
  readonly signal?: AbortSignal;
  readonly observer?: Pick<TrainObserver, "onDownload" | "onPacking" | "onFeatures" | "onMessage">;
  /** Called after each iteration. */
  readonly onIteration?: (iteration: number, of: number, point: RateLoss) => void;
}

/** Loss curve of a sweep, and its suggestions. */
export interface RateFinding {
  readonly network: string;
  readonly dataset: string;
  readonly recipe: string;
  /** Learning rate of the recipe. */
  readonly learningRate: number;
  readonly range: RateRange;
  readonly end: SweepEnd;
  /** Undefined if the loss never fell. */
  readonly suggestions: RateSuggestions | undefined;
  readonly points: readonly RatePoint[];
}

/**
 * Sweeps the learning rate with the network, images and recipe of a training run, from its initial weights. Saves only cached features.
 *
 * Throws ConfigError for invalid settings, and DataError for an unusable data set.
 */
export async function findLearningRate(options: RateFinderOptions = {}): Promise<RateFinding> {
  const { observer = {}, signal } = options;
  const range = rangeOf(options);
  const prepared = await prepareRun(await resolve(options), {
    command: "findLearningRate",
    observer,
    signal,
    ...oneProcess,
  });
  const { config, dataset, engine } = prepared;
  const { network, recipe } = config;
  try {
    const part = await compileModel(prepared);
    try {
      const { losses, end } = await sweep(part, prepared, range, options);
      const points = smoothRates(losses, range.iterations);
      return {
        network: network.name,
        dataset: dataset.name,
        recipe: recipe.name,
        learningRate: recipe.learningRate,
        range,
        end,
        suggestions: suggestRates(points, range.iterations),
        points,
      };
    } finally {
      await part.close();
    }
  } finally {
    engine.close();
    dataset.close?.();
  }
}

async function sweep(
  part: CompiledModel,
  prepared: PreparedRun,
  range: RateRange,
  { signal, onIteration, observer = {} }: RateFinderOptions,
) {
  const { config } = prepared;
  const { recipe, network, fineTuning } = config;
  const { program } = part;
  await writeInitialWeights(part.weights, config);
  const dataset = await part.inputs(observer, signal);
  const preparation = runPreparation(prepared);
  const optimizer = createOptimizer(program, trainedRecipe(recipe, network, fineTuning));
  optimizer.start();
  const training = runTraining(prepared, program, optimizer, dataset, preparation);
  try {
    return await sweepRates(training, range, {
      signal,
      onIteration: (iteration, point) => onIteration?.(iteration, range.iterations, point),
    });
  } finally {
    preparation.close();
  }
}

/** Minimum for leaving out a tenth and smoothing the rest. */
const LEAST_ITERATIONS = 20;

function rangeOf({ minRate = 1e-6, maxRate = 10, iterations = 200 }: RateFinderOptions): RateRange {
  if (minRate >= maxRate)
    throw new ConfigError(`--min-rate: expected less than --max-rate, ${maxRate}, got ${minRate}; change either`);
  if (iterations < LEAST_ITERATIONS)
    throw new ConfigError(`--iterations: expected ${LEAST_ITERATIONS} or more, got ${iterations}`);
  return { from: minRate, to: maxRate, iterations };
}
