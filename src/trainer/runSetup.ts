/** From settings to a new run ready to train. */
import { readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { type Dataset, type DatasetSource, type LoadOptions, validationSplit } from "../dataset/dataset.ts";
import { findDataset } from "../dataset/sources/datasets.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import { describeMachine } from "../engine/select/machine.ts";
import { choosePrecision, type PrecisionName } from "../engine/select/precision.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { ConfigError } from "../errors.ts";
import type { Network } from "../network/network.ts";
import { summarize } from "../network/summary.ts";
import { formatDuration } from "../report/numbers.ts";
import { type DivergenceSettings, divergencePolicy } from "../settings/divergencePolicy.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import { type RecipeOverrides, resolveNetwork, resolveRecipe } from "../settings/settings.ts";
import { checkClassWeights } from "../training/objective/classWeights.ts";
import type { Recipe } from "../training/recipe.ts";
import { type FineTuneSettings, planFineTuning, refuseWithoutOrigin } from "./fineTunePlan.ts";
import { readOrigin, withOrigin } from "./initFrom.ts";
import { defaultNetwork, prepareInput } from "./runInput.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** What can be said about a run when it is started. Everything has a default; on resume it is what the run was started with. */
export interface RunSettings extends RecipeOverrides, DivergenceSettings, FineTuneSettings {
  /** A name, or a folder of pictures with a folder for each class. Default `fashion-mnist`. */
  readonly dataset?: string;
  readonly dataDir?: string;
  /** A name, a JSON file, or a network. Default: `alexnet-fashion` for grey data sets, `alexnet-owt` for others, `alexnet-small` for small pictures at their own size. */
  readonly network?: string | Network;
  /** A name, a JSON file, or a recipe. Default: `fashion` for grey data sets, `photos` for others, `small` with `fit` `native`. */
  readonly recipe?: string | Recipe;
  /** Height and width of the network's input, in pixels. */
  readonly inputSize?: number;
  /** Train, or evaluate, on the first so many images only. */
  readonly trainLimit?: number;
  readonly testLimit?: number;
  /** Share of the pictures that are held out, where no folder says which. Default 0.2. */
  readonly validationShare?: number;
  /** Share of the pictures that may be damaged; they are left out. Default 0.01. */
  readonly maxBad?: number;
  readonly engine?: EngineName;
  /** Default `auto`. */
  readonly precision?: PrecisionName;
  /** Direct convolution only. Default false: Winograd's algorithm where it is faster. */
  readonly exact?: boolean;
  readonly threads?: number;
}

/** A run ready to be trained. */
export interface PreparedRun {
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly engine: Engine;
}

/** A slow engine is refused by default beyond this. */
const REFERENCE_MINUTES = 10;
/** Of the reference engine: conv2 of `alexnet-fashion`, 448 M MACs, took 0.74 s forward and 1.5 s backward on a server of 2025. */
const REFERENCE_MACS_PER_SECOND = 6e8;

/** Prepares a new run from settings. */
export async function startRun(
  settings: RunSettings,
  command: string,
  observer: TrainObserver,
  signal?: AbortSignal,
): Promise<PreparedRun> {
  refuseWithoutOrigin(settings);
  const source = await findDataset(settings.dataset ?? "fashion-mnist");
  const origin = settings.from === undefined ? undefined : await readOrigin(settings.from);
  const wanted = origin ? withOrigin(settings, origin) : settings;
  const named = await resolveRecipe(wanted.recipe ?? defaultRecipe(source, wanted), wanted);
  const options = { ...settings, seed: named.seed, ...loadObserver(observer, signal) };
  const { normalization } = settings;
  const inputSettings = { ...wanted, normalization, origin: origin?.model.preprocessing };
  const input = await prepareInput(source, named, inputSettings, options, observer);
  const { network, dataset, preprocessing, colours } = input;
  checkClassWeights(named.classWeights, dataset.classNames);
  const fineTuning = origin && planFineTuning(origin, network, dataset.classNames, settings);
  const recipe = fineTuning?.keptViews === 1 ? { ...named, augmentation: {} } : named;
  const { engine, warning } = await selectEngine(settings.engine ?? "auto", settings.threads);
  if (warning) observer.onMessage?.(warning);
  const { precision, reason } = choosePrecision(settings.precision ?? "auto", engine);
  if (reason) observer.onMessage?.(reason);
  if (engine.name === "reference") {
    observer.onMessage?.(referenceEstimate(network, recipe, dataset, settings.engine));
  }
  const config: RunConfig = {
    dataset: describeDataset(dataset, settings),
    network,
    recipe,
    preprocessing,
    ...(colours && recipe.augmentation.lighting !== undefined
      ? { colours: structuredClone(colours) as NonNullable<RunConfig["colours"]> }
      : {}),
    ...(fineTuning ? { fineTuning } : {}),
    divergence: divergencePolicy(settings),
    precision,
    exact: settings.exact ?? false,
    engine: describeEngine(engine),
    machine: { ...describeMachine() },
    command,
    started: new Date().toISOString(),
  };
  return { config, dataset, engine };
}

/** For grey data sets that of the Fashion-MNIST build; otherwise by the size that pictures are trained at. */
export function defaultRecipe(source: DatasetSource, { fit }: RunSettings): string {
  if (source.channels === 1) return "fashion";
  return fit === "native" ? "small" : "photos";
}

function describeDataset(dataset: Dataset, settings: RunSettings): RunConfig["dataset"] {
  const { dataDir, trainLimit, testLimit, validationShare, maxBad } = settings;
  return {
    name: dataset.name,
    channels: dataset.channels,
    source: dataset.source,
    ...(dataDir === undefined ? {} : { dataDir: resolve(dataDir) }),
    ...(trainLimit === undefined ? {} : { trainLimit }),
    ...(testLimit === undefined ? {} : { testLimit }),
    ...(validationShare === undefined ? {} : { validationShare }),
    ...(maxBad === undefined ? {} : { maxBad }),
    trainImages: dataset.train.length,
    testImages: validationSplit(dataset).length,
    watched: dataset.validation ? "validation" : "test",
    ...(dataset.listed === undefined ? {} : { listed: dataset.listed }),
    classNames: [...dataset.classNames],
  };
}

/** How a data set's loading is told to an observer, and ended by a signal. */
export function loadObserver(
  { onDownload, onPacking, onMessage }: TrainObserver,
  signal: AbortSignal | undefined,
): Pick<LoadOptions, "onProgress" | "onPacking" | "onMessage" | "signal"> {
  return { onProgress: onDownload, onPacking, onMessage, signal };
}

/** `runs/<network>-<n>`, or `runs/native-<n>` where the network follows from pictures that were not read yet: the first that is not there yet. */
export async function newRunDirectory(given: RunSettings): Promise<string> {
  const settings = given.from === undefined ? given : withOrigin(given, await readOrigin(given.from));
  const source = await findDataset(settings.dataset ?? "fashion-mnist");
  const recipe = await resolveRecipe(settings.recipe ?? defaultRecipe(source, settings), settings);
  const network = settings.network ?? recipe.network;
  const isOpen = network === undefined && recipe.fit === "native";
  const name = isOpen ? recipe.fit : (await resolveNetwork(network ?? defaultNetwork(source))).name;
  const taken = await readdir("runs").catch((): string[] => []);
  let n = 1;
  while (taken.includes(`${name}-${n}`)) n++;
  return join("runs", `${name}-${n}`);
}

function describeEngine({ name, version, description, threads }: Engine): RunConfig["engine"] {
  return { name, version, description, threads };
}

/** How long it will take. Throws ConfigError if that is too long for an engine that was not asked for. */
function referenceEstimate(network: Network, recipe: Recipe, dataset: Dataset, asked: EngineName | undefined): string {
  const { macs } = summarize(network).totals;
  // Forward and backward are about three times the forward pass's arithmetic.
  const images = 3 * recipe.epochs * dataset.train.length + Math.ceil(recipe.epochs) * validationSplit(dataset).length;
  const seconds = (images * macs) / REFERENCE_MACS_PER_SECOND;
  const estimate = `about ${formatDuration(seconds)}`;
  if (asked === "reference" || seconds <= REFERENCE_MINUTES * 60) {
    return `engine: the reference engine will take ${estimate}`;
  }
  throw new ConfigError(
    `engine: the reference engine would take ${estimate}; ` +
      "install oneDNN (see alexnet doctor), or insist with --engine reference",
  );
}
