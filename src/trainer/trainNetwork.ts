/** Trains a network in memory. */
import type { LogEntry } from "../checkpoint/runLog.ts";
import { type Dataset, validationSplit } from "../dataset/dataset.ts";
import { checkedDataset } from "../dataset/ownDataset.ts";
import { createPreparation } from "../dataset/prepare/preparation.ts";
import type { Engine, Precision, TrainingProgram } from "../engine/engine.ts";
import { ConfigError, DivergenceError } from "../errors.ts";
import { checkWeights, type NetworkModel, readWeights, type Weights, writeWeights } from "../model/networkModel.ts";
import { initialValues } from "../network/initialize.ts";
import { type Network, operations, parseNetwork, withInput } from "../network/network.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { defaultMonitor } from "../training/monitor.ts";
import { checkLabelSettings, trainedHead, trainingLoss } from "../training/objective/labelSettings.ts";
import { createOptimizer, type Optimizer } from "../training/optimizers/optimizer.ts";
import { defaultRecipe, findRecipe, parseRecipe, type Recipe } from "../training/recipe.ts";
import { initialPosition, type Position } from "../training/state.ts";
import { type TrainingEnd, train } from "../training/train.ts";
import { fitInput, inputOf, newFitting, type RunInput } from "./fitInput.ts";
import { metricsOf, type RunStorage, recordRun } from "./recorder.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** Callbacks of training in memory. */
export type NetworkObserver = Pick<
  TrainObserver,
  "onMessage" | "onProgress" | "onEvaluationProgress" | "onLog" | "onEpoch"
>;

/** Recipe values that override those of the named recipe. */
export type RecipeValues = {
  readonly [K in Exclude<keyof Recipe, "name" | "source" | "deviations" | "network">]?: Recipe[K];
};

/** A network, its data, and the recipe of its training, with optional overrides. */
export interface TrainNetworkOptions extends RecipeValues {
  /** The network to train; its last layer with weights gets one output per class of the data set. */
  readonly network: Network;
  /** Training images, and the validation set that is evaluated after each epoch. */
  readonly dataset: Dataset;
  /** Compute engine; the caller closes it. */
  readonly engine: Engine;
  /** A recipe or its name. Default: `fashion` for images of one channel, `photos` for colour, `small` for the fit `native`. */
  readonly recipe?: string | Recipe;
  /** Initial weights by parameter name. Default: random, by the recipe's initializer and seed. */
  readonly weights?: Weights;
  /** Number format of the computation. Default `f32`. */
  readonly precision?: Precision;
  /** Direct convolution only: slower, without Winograd's rounding. Default false. */
  readonly exact?: boolean;
  /** Evaluate and stop after n minutes. */
  readonly maxMinutes?: number;
  /** Aborting ends training after the current iteration, or the current evaluation's batch. */
  readonly signal?: AbortSignal;
  /** Callbacks of progress and messages. */
  readonly observer?: NetworkObserver;
}

/** Result of `trainNetwork`. Accuracies are fractions. */
export interface TrainedNetwork {
  /** The network with the weights of the best evaluation; with the last weights if there was no evaluation. */
  readonly model: NetworkModel;
  /** `interrupt`: by the signal. `time`: by `maxMinutes`. */
  readonly end: TrainingEnd;
  /** One line per 20 iterations, and one per epoch. */
  readonly log: readonly LogEntry[];
  /** Evaluation of the model on the validation set, or on the test set if there is none; undefined without an evaluation. */
  readonly evaluation: Evaluation | undefined;
}

/**
 * Trains a network in memory, without files, by the training loop of `trainClassifier`: the same recipe and seed produce the same weights.
 *
 * Throws ConfigError for settings that do not fit, ShapeError for a network that does not fit its input, CheckpointError for initial weights of
 * another network, DataError for an unusable image, DivergenceError if training diverges, NativeError if the engine cannot run the network. Aborting is
 * no error: `end` is then `interrupt`.
 */
export async function trainNetwork(options: TrainNetworkOptions): Promise<TrainedNetwork> {
  const { engine, dataset, precision = "f32", exact = false } = options;
  if (!engine.trains) throw new ConfigError(`engine ${engine.name}: cannot train; choose another engine`);
  const recipe = recipeOf(options);
  checkLabelSettings(recipe, dataset);
  const input = await fitNetwork(options, recipe);
  const { network } = input;
  if (options.weights) checkWeights("weights", network, options.weights);
  const program = await engine.compileTraining({
    ops: operations(network),
    inputShape: network.input,
    batchSize: recipe.batchSize,
    precision,
    exact,
    loss: trainingLoss(recipe, dataset.classNames, dataset.train),
  });
  try {
    const optimizer = createOptimizer(program, recipe);
    const weights = options.weights ?? newWeights(network, recipe, input.patches);
    await writeWeights(program, [...program.parameters, ...program.frozen], weights);
    optimizer.start();
    return await trainCompiled(options, recipe, input, program, optimizer);
  } catch (error) {
    if (!(error instanceof DivergenceError)) throw error;
    // The remedy of the training loop is for a run directory.
    throw new DivergenceError(error.reason, `train again with a lower learningRate than ${recipe.learningRate}`);
  } finally {
    program.close();
  }
}

/** The recipe with the overrides among the options. */
function recipeOf(options: TrainNetworkOptions): Recipe {
  const { network, dataset, engine, recipe, weights, precision, exact, maxMinutes, signal, observer, ...values } =
    options;
  const named = recipe ?? defaultRecipe(dataset.channels, values.fit);
  const base = typeof named === "string" ? findRecipe(named) : parseRecipe(named);
  return parseRecipe({ monitor: defaultMonitor, ...base, ...values }, `recipe ${base.name}`);
}

/** Adapts the network and the data set of a training to each other. Throws as `trainNetwork`. */
export function fitNetwork(
  { network: given, dataset: own, observer = {} }: Pick<TrainNetworkOptions, "network" | "dataset" | "observer">,
  recipe: Recipe,
): Promise<RunInput> {
  const dataset = checkedDataset(own);
  const network = parseNetwork(given, "network");
  const [channels, height, width] = inputOf(network);
  const size = recipe.fit === "native" ? dataset.imageSize : { height, width };
  if (!size) {
    throw new ConfigError(`${dataset.name}: expected images of one size for the fit native; choose another fit`);
  }
  const fitting = newFitting(recipe, channels, size);
  return fitInput(recipe, withInput(network, [channels, ...fitting.size]), dataset, fitting, { observer });
}

/** Initial weights by a recipe, with the components of patches that it may want. */
export function newWeights(network: Network, { initializer, seed }: Recipe, patches: RunInput["patches"]): Weights {
  const drawn = initialValues(network, initializer, seed, { patches });
  return new Map([...drawn].map(({ name, values }) => [name, values]));
}

async function trainCompiled(
  { precision = "f32", exact = false, maxMinutes = Number.POSITIVE_INFINITY, signal, observer }: TrainNetworkOptions,
  recipe: Recipe,
  { network, dataset, preprocessing, colours }: RunInput,
  program: TrainingProgram,
  optimizer: Optimizer,
): Promise<TrainedNetwork> {
  const { classNames } = dataset;
  const { augmentation, seed } = recipe;
  const [{ train: images }, test] = [dataset, validationSplit(dataset)];
  const preparation = createPreparation({ preprocessing, random: { augmentation, seed, colours } });
  const storage = createMemory(program, optimizer);
  const recorder = recordRun({
    recipe,
    trainImages: images.length,
    testImages: test.length,
    storage,
    start: initialPosition,
    log: [],
    best: undefined,
    observer,
    signal,
    deadline: performance.now() + maxMinutes * 60_000,
  });
  try {
    const imageShape = [preprocessing.channels, ...preprocessing.size];
    const training = { program, optimizer, recipe, train: images, test, preparation, classNames, imageShape };
    const { position, end } = await train(training, initialPosition, recorder.listener);
    await recorder.save(position);
    const { weights, metrics, thresholds } = storage.best();
    const head = trainedHead(images);
    const learned = { ...(head ? { head } : {}), ...(thresholds ? { thresholds } : {}) };
    const model = { network, ...learned, classNames, preprocessing, metrics, precision, exact, weights };
    return { model, end, log: recorder.log, evaluation: recorder.bestEvaluation() };
  } finally {
    preparation.close();
  }
}

interface Saved {
  readonly weights: Weights;
  readonly metrics: NetworkModel["metrics"];
  readonly thresholds: NetworkModel["thresholds"];
}

/** Keeps the best weights in memory; until there are some, the first saved ones. */
function createMemory(program: TrainingProgram, { averaged }: Optimizer): RunStorage & { best(): Saved } {
  let best: Saved | undefined;
  return {
    saveEverySeconds: Number.POSITIVE_INFINITY,
    bestWeights: "the model",
    async append() {},
    async save(_position: Position, log, isBest, thresholds) {
      if (best && !isBest) return;
      best = { weights: await readWeights(program, averaged, best?.weights), metrics: metricsOf(log), thresholds };
    },
    async draw() {},
    best: () => best ?? { weights: new Map(), metrics: {}, thresholds: undefined },
  };
}
