/** The runs that are kept of every version, made by the version at hand: by a script to keep them, by a test to compare. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  conv2d,
  exportModel,
  flatten,
  importModel,
  linear,
  maxPool2d,
  parseNetwork,
  readSweepPlan,
  relu,
  runSweep,
  type TrainObserver,
  type TrainOptions,
  trainClassifier,
} from "../src/index.ts";
import { tinyNetwork } from "./tinyRuns.ts";

/** Each in a directory of this name, in the order in which they are made. */
export const runNames = ["first", "imported", "stopped", "stoppedOneDnn", "tuned", "full", "folder", "sweep"] as const;
export type RunName = (typeof runNames)[number];

const colourNetwork = parseNetwork(
  {
    name: "colours",
    input: [3, 20, 20],
    layers: [
      conv2d("conv1", { outChannels: 4, kernelSize: 5, stride: 2 }),
      relu("relu1"),
      maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
      flatten("flatten"),
      linear("fc2", { outFeatures: 3 }),
    ],
  },
  "colours",
);

/** A power of two: a learning rate times this, then divided by it, is the same to the bit. */
const fault = 2 ** 100;

/** Settings that few runs have, all at once. */
const fullRecipe = {
  name: "full",
  source: "every kind of setting",
  deviations: ["none"],
  epochs: 5,
  batchSize: 8,
  learningRate: 0.02,
  optimizer: { kind: "sgd", form: "nesterov", momentum: 0.8, weightDecay: 0.001 },
  schedule: { kind: "step", everyEpochs: 2, factor: 0.5 },
  warmup: 0.5,
  clipNorm: 2,
  accumulate: 2,
  average: 0.9,
  multipliers: { bias: { learningRate: 2, weightDecay: 0 }, "conv1.bias": { learningRate: 0.5, weightDecay: 1 } },
  initializer: { weight: { kind: "gaussian", deviation: 0.05 }, bias: "zero", ones: ["fc2"] },
  fit: "crop",
  filter: "bilinear",
  augmentation: {
    flip: 0.5,
    shift: 0.125,
    jitter: { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05 },
    erase: 0.25,
  },
  normalization: "mean-image",
  labelSmoothing: 0.1,
  mixup: 0.2,
  classWeights: "balanced",
  sampler: "balanced",
  earlyStopping: { patience: 4, minDelta: 0.001 },
  seed: 7,
} as const;

function options(folder: string): TrainOptions {
  const data = { dataDir: join(folder, "data"), network: tinyNetwork };
  return { ...data, engine: "reference", precision: "f32", threads: 1, batchSize: 16, epochs: 3, command: "alexnet" };
}

/** Trains up to an iteration of this call, as Ctrl-C stops it. */
async function trainUpTo(iterations: number, given: TrainOptions): Promise<void> {
  const controller = new AbortController();
  await trainClassifier({ ...given, signal: controller.signal, observer: countdown(iterations, controller) });
}

function countdown(iterations: number, controller: AbortController): TrainObserver {
  let done = 0;
  return {
    onProgress() {
      if (++done === iterations) controller.abort();
    },
  };
}

/** What other steps need besides runs: networks, a recipe and a sweep as files. */
export async function writeInputs(folder: string): Promise<void> {
  await writeJson(join(folder, "network.json"), tinyNetwork);
  await writeJson(join(folder, "recipe.json"), fullRecipe);
  const base = {
    network: join(folder, "network.json"),
    dataDir: join(folder, "data"),
    engine: "reference",
    threads: 1,
  };
  await writeJson(join(folder, "rates.json"), {
    base: { ...base, precision: "f32", batchSize: 16, epochs: 2 },
    grid: { learningRate: [0.003, 0.01, 1e30] },
  });
}

/** The first run in each format that can be read back, in `exports/`. */
export async function writeExports(folder: string): Promise<void> {
  const run = join(folder, "first");
  await mkdir(join(folder, "exports"));
  for (const ending of ["pth", "onnx", "safetensors"]) await exportModel(run, join(folder, `exports/first.${ending}`));
}

/** Makes a run; `first` and the exports must be there for those that begin with them. */
export async function makeRun(name: RunName, folder: string): Promise<void> {
  const run = join(folder, name);
  const common = { ...options(folder), run };
  const make: { readonly [N in RunName]: () => Promise<unknown> } = {
    first: () => trainClassifier(common),
    imported: () => importModel(join(folder, "exports/first.pth"), run, { like: join(folder, "first") }),
    stopped: () => trainUpTo(30, common),
    stoppedOneDnn: () => trainUpTo(30, { ...common, engine: "onednn" }),
    tuned: () => trainUpTo(17, { ...common, ...tuning(folder) }),
    full: () => makeFull(common, join(folder, "recipe.json")),
    folder: () => trainUpTo(17, { ...photos(folder), run }),
    sweep: () => makeSweep(folder, run),
  };
  await make[name]();
}

function tuning(folder: string): TrainOptions {
  const rates = { oldLayersRate: 0.5, learningRate: 0.001, optimizer: "adam", schedule: "cosine" } as const;
  return { from: join(folder, "first"), freeze: ["conv"], ...rates, epochs: 2 };
}

function photos(folder: string): TrainOptions {
  const { dataDir: _none, ...rest } = options(folder);
  const recipe = { recipe: "photos", batchSize: 4, epochs: 4, seed: 3 } as const;
  return {
    ...rest,
    ...recipe,
    dataset: join(folder, "photos"),
    network: colourNetwork,
    validationShare: 0.25,
    maxBad: 0,
  };
}

/** With a rollback: the learning rate is made too high while the run is stopped. */
async function makeFull(common: TrainOptions & { readonly run: string }, recipe: string): Promise<void> {
  const { batchSize: _size, epochs: _epochs, ...rest } = common;
  const rescue = { onDivergence: "rollback", rollbackFactor: 1 / fault, maxRollbacks: 2 } as const;
  const limits = { trainLimit: 160, testLimit: 30, exact: true, maxBad: 0.02 };
  await trainUpTo(24, { ...rest, ...rescue, ...limits, recipe });
  const file = join(common.run, "config.json");
  const config = JSON.parse(await readFile(file, "utf8"));
  config.recipe.learningRate *= fault;
  await writeJson(file, config);
  await trainUpTo(30, { run: common.run, resume: true });
}

async function makeSweep(folder: string, directory: string): Promise<void> {
  const controller = new AbortController();
  const plan = await readSweepPlan(join(folder, "rates.json"));
  // A trial has 26 iterations.
  await runSweep({ plan, directory, signal: controller.signal, observer: countdown(26 + 9, controller) });
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
