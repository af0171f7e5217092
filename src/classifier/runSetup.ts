import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readConfig, writeConfig } from "../checkpoint/runDirectory.ts";
import { type Dataset, limitSplit, type NamedDataset } from "../dataset/dataset.ts";
import { findDataset } from "../dataset/datasets.ts";
import type { Engine, Precision } from "../engine/engine.ts";
import { ConfigError } from "../errors.ts";
import type { Network } from "../network/network.ts";
import { summarize } from "../network/summary.ts";
import type { Recipe } from "../training/recipe.ts";
import type { EngineName } from "./engineNames.ts";
import { describeMachine } from "./machine.ts";
import { type RunConfig, runConfigSchema } from "./runConfig.ts";
import { selectEngine } from "./selectEngine.ts";
import {
  channelNote,
  choosePreprocessing,
  fitNetwork,
  type RecipeOverrides,
  resolveNetwork,
  resolveRecipe,
} from "./settings.ts";

/** What can be said about a run when it is started. Everything has a default; on resume it is what the run was started with. */
export interface RunSettings extends RecipeOverrides {
  /** Default `fashion-mnist`. */
  readonly dataset?: string;
  readonly dataDir?: string;
  /** A name, a JSON file, or a network. Default `alexnet-fashion`. */
  readonly network?: string | Network;
  /** A name, a JSON file, or a recipe. Default `fashion`. */
  readonly recipe?: string | Recipe;
  /** Height and width of the network's input, in pixels. */
  readonly inputSize?: number;
  /** Train, or evaluate, on the first so many images only. */
  readonly trainLimit?: number;
  readonly testLimit?: number;
  readonly engine?: EngineName;
  readonly precision?: Precision;
  readonly threads?: number;
}

/** A run ready to be trained. */
export interface PreparedRun {
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly engine: Engine;
}

export type Notify = (message: string) => void;

/** A slow engine is refused by default beyond this. */
const REFERENCE_MINUTES = 10;
/** Of the reference engine on one core of a 2025 server. */
const REFERENCE_MACS_PER_SECOND = 4e8;

/** Starts a run in a directory without one, from settings. Writes its config.json. */
export async function startRun(
  directory: string,
  settings: RunSettings,
  command: string,
  notify: Notify,
): Promise<PreparedRun> {
  const named = findDataset(settings.dataset ?? "fashion-mnist");
  const recipe = await resolveRecipe(settings.recipe ?? "fashion", settings);
  const chosen = await resolveNetwork(settings.network ?? "alexnet-fashion");
  const dataset = await loadDataset(named, settings);
  const network = fitNetwork(chosen, dataset.classNames.length, settings.inputSize);
  const { engine, warning } = selectEngine(settings.engine ?? "auto", settings.threads);
  if (warning) notify(warning);
  if (engine.name === "reference" && settings.engine !== "reference") refuseIfSlow(network, recipe, dataset);
  const note = channelNote(network, dataset);
  if (note) notify(note);
  const { dataDir, trainLimit, testLimit } = settings;
  const config: RunConfig = {
    dataset: {
      name: dataset.name,
      source: dataset.source,
      ...(dataDir === undefined ? {} : { dataDir }),
      ...(trainLimit === undefined ? {} : { trainLimit }),
      ...(testLimit === undefined ? {} : { testLimit }),
      trainImages: dataset.train.length,
      testImages: dataset.test.length,
      classNames: [...dataset.classNames],
    },
    network,
    recipe,
    preprocessing: choosePreprocessing(network, dataset, recipe),
    precision: settings.precision ?? "f32",
    engine: describeEngine(engine),
    machine: { ...describeMachine() },
    command,
    started: new Date().toISOString(),
  };
  await writeConfig(directory, config);
  return { config, dataset, engine };
}

/** Takes up a run as it was started. Throws ConfigError naming every setting that differs from what is stored. */
export async function resumeRun(config: RunConfig, settings: RunSettings, notify: Notify): Promise<PreparedRun> {
  await refuseChanges(config, settings);
  const { dataDir, trainLimit, testLimit, name } = config.dataset;
  const stored = { dataDir: settings.dataDir ?? dataDir, trainLimit, testLimit };
  const dataset = await loadDataset(findDataset(name), stored);
  const { engine } = selectEngine(config.engine.name === "onednn" ? "onednn" : "reference", config.engine.threads);
  const now = { ...describeMachine(), engine: engine.version };
  const then = { ...config.machine, engine: config.engine.version };
  for (const key of ["alexnet", "node", "cpu", "engine"] as const) {
    if (now[key] !== then[key])
      notify(`${key}: ${now[key]} now, ${then[key]} when the run began; results may differ slightly`);
  }
  return { config, dataset, engine };
}

/** The configuration of a run directory, if there is a run in it. */
export function readRunConfig(directory: string): Promise<RunConfig | undefined> {
  return readConfig(directory, runConfigSchema);
}

/** `runs/<network>-<n>`: the first that is not there yet. */
export async function newRunDirectory(network: string | Network | undefined): Promise<string> {
  const { name } = await resolveNetwork(network ?? "alexnet-fashion");
  const taken = await readdir("runs").catch((): string[] => []);
  let n = 1;
  while (taken.includes(`${name}-${n}`)) n++;
  return join("runs", `${name}-${n}`);
}

type DatasetSettings = { readonly [K in "dataDir" | "trainLimit" | "testLimit"]?: RunSettings[K] | undefined };

async function loadDataset(named: NamedDataset, settings: DatasetSettings): Promise<Dataset> {
  const { dataDir, trainLimit, testLimit } = settings;
  const dataset = await named.load(dataDir === undefined ? {} : { dataDir });
  return {
    ...dataset,
    train: trainLimit === undefined ? dataset.train : limitSplit(dataset.train, trainLimit),
    test: testLimit === undefined ? dataset.test : limitSplit(dataset.test, testLimit),
  };
}

function describeEngine({ name, version, description, threads }: Engine): RunConfig["engine"] {
  return { name, version, description, threads };
}

/** Forward and backward are about three times the forward pass's arithmetic. */
function refuseIfSlow(network: Network, recipe: Recipe, dataset: Dataset): void {
  const { macs } = summarize(network).totals;
  const images = 3 * recipe.epochs * dataset.train.length + Math.ceil(recipe.epochs) * dataset.test.length;
  const minutes = (images * macs) / REFERENCE_MACS_PER_SECOND / 60;
  if (minutes <= REFERENCE_MINUTES) return;
  throw new ConfigError(
    `engine: the reference engine would take about ${Math.round(minutes).toLocaleString("en")} minutes; ` +
      "install oneDNN (see alexnet doctor), or insist with --engine reference",
  );
}

async function refuseChanges(config: RunConfig, settings: RunSettings): Promise<void> {
  const { recipe, dataset, engine } = config;
  const network = settings.network === undefined ? undefined : (await resolveNetwork(settings.network)).name;
  const named = settings.recipe === undefined ? undefined : (await resolveRecipe(settings.recipe, {})).name;
  const given: readonly (readonly [flag: string, given: unknown, stored: unknown])[] = [
    ["DATASET", settings.dataset, dataset.name],
    ["--network", network, config.network.name],
    ["--recipe", named, recipe.name],
    ["--epochs", settings.epochs, recipe.epochs],
    ["--batch-size", settings.batchSize, recipe.batchSize],
    ["--learning-rate", settings.learningRate, recipe.learningRate],
    ["--momentum", settings.momentum, recipe.optimizer.momentum],
    ["--weight-decay", settings.weightDecay, recipe.optimizer.weightDecay],
    ["--seed", settings.seed, recipe.seed],
    ["--input-size", settings.inputSize, config.preprocessing.size[0]],
    ["--train-limit", settings.trainLimit, dataset.trainLimit],
    ["--test-limit", settings.testLimit, dataset.testLimit],
    ["--engine", settings.engine === "auto" ? undefined : settings.engine, engine.name],
    ["--precision", settings.precision, config.precision],
    ["--threads", settings.threads, engine.threads],
  ];
  const changed = given.filter(([, value, stored]) => value !== undefined && value !== stored);
  if (changed.length === 0) return;
  const lines = changed.map(
    ([flag, value, stored]) => `${flag} is ${String(value)}, the run was started with ${String(stored)}`,
  );
  throw new ConfigError(`resume: ${lines.join("; ")}; leave it out, or start another run`);
}
