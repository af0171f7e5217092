/** One training run in a worker: the training loop and the recorder of Node.js, with storage in the browser. */
import type { LogEntry } from "../../checkpoint/runLog.ts";
import { type Dataset, validationSplit } from "../../dataset/dataset.ts";
import { createPreparation, type Preparation } from "../../dataset/prepare/preparation.ts";
import type { Engine, TrainingProgram } from "../../engine/engine.ts";
import { DivergenceError } from "../../errors.ts";
import { findFirstKernels } from "../../explain/firstKernels.ts";
import type { Preprocessing } from "../../image/prepare/preprocess.ts";
import { type NetworkModel, readWeights, type Weights } from "../../model/networkModel.ts";
import { type Network, operations } from "../../network/network.ts";
import type { RunInput } from "../../trainer/fitInput.ts";
import { metricsOf, type Recorder, recordRun } from "../../trainer/recorder.ts";
import { fitNetwork } from "../../trainer/trainNetwork.ts";
import { createOptimizer, type Optimizer } from "../../training/optimizers/optimizer.ts";
import type { Recipe } from "../../training/recipe.ts";
import { isFinished, type Position } from "../../training/state.ts";
import { type TrainingListener, train } from "../../training/train.ts";
import { messageOf, problemOf } from "./calls.ts";
import { type Checkpoints, createCheckpoints, initialWeights, loadState, type SavedState } from "./checkpoints.ts";
import { isFailureOf } from "./engines.ts";
import { pointOf, progressOf, testedImage } from "./runFigures.ts";
import type { RunProgress, TestedImage, TestResult, TrainerEvent } from "./trainerApi.ts";
import { filtersOf } from "./viewer.ts";

/** A run to create or to resume. */
export interface RunOptions {
  readonly network: Network;
  readonly recipe: Recipe;
  readonly dataset: Dataset;
  readonly engine: Engine;
  readonly start: Position;
  /** Initial weights; parameters that it lacks, or that have another size, are random. */
  readonly weights?: Weights;
  /** Preprocessing that the initial weights were trained with. Default: by the recipe. */
  readonly preprocessing?: Preprocessing;
  readonly state?: SavedState;
  /** Saves a state. Rejects if it cannot be stored. */
  save(state: SavedState): Promise<void>;
  onEvent(event: TrainerEvent): void;
}

/** A run. */
export interface Run {
  readonly network: Network;
  readonly dataset: Dataset;
  readonly recipe: Recipe;
  readonly log: readonly LogEntry[];
  readonly progress: RunProgress;
  readonly test: TestResult | undefined;
  readonly isRunning: boolean;
  /** Trains until `pause`, the last epoch, or for one iteration. */
  train(isStep: boolean): Promise<void>;
  /** Evaluates the weights and stops; during an evaluation, stops at once. Resolves once training has ended. */
  pause(): Promise<void>;
  /** Saves the position after the current iteration; during an evaluation, which saves at its end, and without training, nothing more. */
  save(): void;
  /** The network with its best weights; before an evaluation, with the current ones. */
  model(): Promise<NetworkModel>;
  /** Stops at once, and frees the memory. */
  close(): Promise<void>;
}

/** Training between two evaluations, in seconds, and as a multiple of the time that an evaluation takes. */
const TEST_SECONDS = 35;
const TEST_MULTIPLE = 4;
const FILTER_SECONDS = 2;

/** Parts of a run that stay the same, and its progress. */
interface RunState {
  readonly options: RunOptions;
  readonly input: RunInput;
  readonly program: TrainingProgram;
  readonly optimizer: Optimizer;
  readonly preparation: Preparation;
  readonly checkpoints: Checkpoints;
  position: Position;
  log: readonly LogEntry[];
  test: TestResult | undefined;
  /** Duration of the last evaluation, in seconds. */
  testSeconds: number;
  abort: AbortController;
  isRunning: boolean;
  /** True from a pause on: the next evaluation ends training. */
  isPausing: boolean;
  /** True if the position is to be saved after the current iteration. */
  isSaveDue: boolean;
  isTesting: boolean;
}

/** Creates a run, or resumes a saved one. Throws as `trainNetwork`. */
export async function createRun(options: RunOptions): Promise<Run> {
  const state = await compile(options);
  let training = Promise.resolve();
  return {
    network: state.input.network,
    dataset: state.input.dataset,
    recipe: options.recipe,
    get log() {
      return state.log;
    },
    get progress() {
      return progressOf(state.position, state.input.dataset.train.length);
    },
    get test() {
      return state.test;
    },
    get isRunning() {
      return state.isRunning;
    },
    train(isStep) {
      if (!state.isRunning) training = trainOn(state, isStep);
      return training;
    },
    pause() {
      if (state.isTesting) state.abort.abort();
      state.isPausing = true;
      return training;
    },
    save() {
      state.isSaveDue = state.isRunning;
    },
    model: () => modelOf(state),
    async close() {
      state.abort.abort();
      await training;
      state.preparation.close();
      state.program.close();
    },
  };
}

async function compile(options: RunOptions): Promise<RunState> {
  const { engine, recipe, dataset, network, state, start } = options;
  const observer = { onMessage: (text: string) => options.onEvent({ kind: "message", text }) };
  const fitted = await fitNetwork({ network, dataset, observer }, recipe);
  const input = { ...fitted, preprocessing: options.preprocessing ?? fitted.preprocessing };
  const { preprocessing, colours } = input;
  const { batchSize, augmentation, seed } = recipe;
  const [ops, inputShape] = [operations(input.network), input.network.input];
  const program = await engine.compileTraining({ ops, inputShape, batchSize, precision: "f32", exact: false });
  const weights = state ? new Map(state.weights) : initialWeights(input, recipe, options.weights);
  const optimizer = createOptimizer(program, recipe);
  try {
    await loadState(program, optimizer, weights, state?.optimizer);
  } catch (error) {
    program.close();
    throw error;
  }
  const run: RunState = {
    options,
    input,
    program,
    optimizer,
    preparation: createPreparation({ preprocessing, random: { augmentation, seed, colours } }),
    checkpoints: createCheckpoints(program, optimizer, state?.best, async (checkpoint) => {
      const problem = await options.save({ ...checkpoint, test: run.test }).then(() => undefined, messageOf);
      // A refusal is an event: training continues.
      options.onEvent({ kind: "saved", problem });
    }),
    position: state?.position ?? start,
    log: state?.log ?? [],
    test: state?.test,
    testSeconds: 0,
    abort: new AbortController(),
    isRunning: false,
    isPausing: false,
    isSaveDue: false,
    isTesting: false,
  };
  return run;
}

async function trainOn(state: RunState, isStep: boolean): Promise<void> {
  const { onEvent } = state.options;
  state.isRunning = true;
  state.isPausing = false;
  state.isSaveDue = false;
  state.isTesting = false;
  state.abort = new AbortController();
  try {
    for (;;) {
      const end = await trainSegment(state, isStep);
      if (end === "time" && !state.isPausing) continue;
      state.isRunning = false;
      return onEvent({ kind: "stopped", end: end === "finished" ? "finished" : "paused" });
    }
  } catch (error) {
    state.isRunning = false;
    const { engine, recipe } = state.options;
    const end = isFailureOf(engine, error) ? "adapterFailed" : "failed";
    onEvent({ kind: "stopped", end, problem: textOf(error, recipe) });
  }
}

/** The message of an error. The remedy of the training loop is for a run directory. */
function textOf(error: unknown, { learningRate }: Recipe): string {
  if (!(error instanceof DivergenceError)) return problemOf(error);
  return `${error.reason}; create a run with a lower learning rate than ${learningRate}`;
}

/** Trains to the next evaluation, to the end, or until it is paused. */
async function trainSegment(state: RunState, isStep: boolean) {
  const { options, input, program, optimizer, preparation } = state;
  const { recipe } = options;
  const { train: images, classNames } = input.dataset;
  const test = validationSplit(input.dataset);
  const seconds = Math.max(TEST_SECONDS, TEST_MULTIPLE * state.testSeconds);
  const recorder = recordRun({
    recipe,
    trainImages: images.length,
    testImages: test.length,
    storage: state.checkpoints.storage,
    start: state.position,
    log: state.log,
    best: state.checkpoints.best?.evaluated,
    observer: { onMessage: (text) => options.onEvent({ kind: "message", text }) },
    signal: state.abort.signal,
    deadline: performance.now() + 1000 * seconds,
  });
  const listener = listenerOf(state, recorder, isStep);
  const { channels, size } = input.preprocessing;
  const imageShape = [channels, ...size] as const;
  const training = { program, optimizer, recipe, train: images, test, preparation, classNames, imageShape };
  const { position, end } = await train(training, state.position, listener);
  state.isTesting = false;
  state.position = position;
  state.log = recorder.log;
  await recorder.save(position);
  await showFilters(state);
  return isFinished(position, recipe) ? "finished" : end;
}

/** The recorder's callbacks, with events for the page. */
function listenerOf(state: RunState, { listener: base, save }: Recorder, isStep: boolean): TrainingListener {
  const { onEvent } = state.options;
  const areFiltersDue = () => performance.now() - shown > 1000 * FILTER_SECONDS;
  const { dataset } = state.input;
  const test = validationSplit(dataset);
  let before = state.position;
  // New in each segment: an evaluation that is aborted by a pause begins again.
  const tested: TestedImage[] = [];
  let testedSince = 0;
  let shown = performance.now();
  return {
    ...base,
    onIteration(position) {
      base.onIteration(position);
      onEvent({ kind: "iteration", point: pointOf(before, position, dataset.train.length) });
      before = position;
      testedSince = performance.now();
    },
    isDue: () => isStep || state.isPausing || state.isSaveDue || areFiltersDue() || base.isDue(),
    async betweenIterations(position) {
      before = position;
      if (areFiltersDue()) {
        await showFilters(state);
        shown = performance.now();
      }
      const stop = await base.betweenIterations(position);
      if (state.isSaveDue) await save(position);
      state.isSaveDue = false;
      if (isStep) return "interrupt";
      return stop ?? (state.isPausing ? "time" : undefined);
    },
    onEvaluationProgress(images) {
      state.isTesting = true;
      base.onEvaluationProgress(images);
      onEvent({ kind: "testing", images, of: test.length });
    },
    onPrediction: (prediction) => tested.push(testedImage(prediction, dataset.classNames)),
    async onEvaluation(position, epoch, evaluation, rate) {
      state.isTesting = false;
      state.testSeconds = (performance.now() - testedSince) / 1000;
      const { top1Accuracy: accuracy, loss, confusion } = evaluation;
      state.test = { iteration: position.iteration, accuracy, loss, confusion, images: tested.splice(0) };
      before = position;
      await base.onEvaluation(position, epoch, evaluation, rate);
      onEvent({ kind: "test", test: state.test });
    },
  };
}

async function showFilters({ program, input, options }: RunState): Promise<void> {
  const name = findFirstKernels(input.network)?.parameter;
  const kernels = program.parameters.find((parameter) => parameter.name === name);
  if (!kernels) return;
  const weights = new Map([[kernels.name, await program.read(kernels.value)]]);
  options.onEvent({ kind: "filters", filters: filtersOf({ network: input.network, weights }) });
}

async function modelOf({ input, program, checkpoints: { best }, log }: RunState): Promise<NetworkModel> {
  const { network, dataset, preprocessing } = input;
  const weights = best ? new Map(best.weights) : await readWeights(program, undefined);
  const metrics = best?.metrics ?? metricsOf(log);
  return { network, classNames: dataset.classNames, preprocessing, metrics, precision: "f32", exact: false, weights };
}
