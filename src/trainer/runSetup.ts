/** Setup of a planned run for training: a new run, or a stored one that is resumed. */
import { countsByLabel, type Dataset, validationSplit } from "../dataset/dataset.ts";
import type { Engine } from "../engine/engine.ts";
import { engineFacts } from "../engine/select/engineNames.ts";
import { describeMachine } from "../engine/select/machine.ts";
import { choosePrecision } from "../engine/select/precision.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { selectTrainingEngine } from "../engine/select/trainingEngine.ts";
import { ConfigError } from "../errors.ts";
import { type Network, operations } from "../network/network.ts";
import { summarize } from "../network/summary.ts";
import { formatDuration } from "../report/numbers.ts";
import { withFineTuningDefaults } from "../settings/fineTuningDefaults.ts";
import type { RunPlan } from "../settings/resolve.ts";
import { type RunConfig, storedLimits } from "../settings/runConfig.ts";
import { sizeOf } from "../shape.ts";
import { checkLabelSettings, trainedHead } from "../training/objective/labelSettings.ts";
import { planFineTuning } from "./fineTunePlan.ts";
import type { Job } from "./processes.ts";
import { refuseProcesses } from "./refuseProcesses.ts";
import { loadObserver, prepareInput } from "./runInput.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** A run ready to train. */
export interface PreparedRun {
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly engine: Engine;
}

/** The call that prepares a run. */
export interface PrepareCall extends Job {
  /** Command line to record in a new run. */
  readonly command: string;
  readonly observer?: TrainObserver | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Loads a run's data set and selects its engine. Throws ConfigError for settings that do not fit. */
export async function prepareRun(plan: RunPlan, call: PrepareCall): Promise<PreparedRun> {
  for (const message of plan.messages) call.observer?.onMessage?.(message);
  const prepared = await (plan.stored ? resumeRun(plan, plan.stored, call) : startRun(plan, call));
  const { recipe, fineTuning, head, network } = prepared.config;
  const { name: engine } = prepared.engine;
  const { keptViews, frozen } = fineTuning ?? {};
  const { communicator, scheme } = call;
  refuseProcesses(communicator.size, { recipe, engine, keptViews, head, scheme, network, frozen });
  return prepared;
}

async function startRun(plan: RunPlan, { command, observer = {}, signal, ...job }: PrepareCall): Promise<PreparedRun> {
  const { network, dataset, preprocessing, colours, patches } = await prepareInput(plan, observer, signal);
  noteMissing(dataset, observer);
  if (plan.repeats && (!hasImagesOf(plan.repeats, dataset) || isChosenOtherwise(plan.repeats))) {
    observer.onMessage?.(
      `${dataset.source}: other images than those of the run that is repeated; the weights will differ`,
    );
  }
  checkLabelSettings(plan.recipe, dataset);
  const head = trainedHead(dataset.train);
  const fineTuning = plan.initFrom && planFineTuning(plan.initFrom, network, dataset.classNames, head);
  const recipe = recipeOf(plan, fineTuning, dataset, observer);
  refuseCachedCutmix(recipe, fineTuning);
  refuseSingleValues(network, recipe, fineTuning, dataset.train.length);
  const { engine, warning } = await selectTrainingEngine(plan.engine, {
    ops: operations(network),
    inputShape: network.input,
    batchSize: recipe.batchSize,
    exact: plan.exact,
    precision: plan.precision,
    threads: plan.threads,
    processes: job.communicator.size,
  });
  const { precision, reason } = choosePrecision(plan.precision, engine);
  for (const message of [warning, reason]) if (message) observer.onMessage?.(message);
  const { name } = engine;
  const macsPerSecond = engineFacts(name)?.macsPerSecond;
  if (macsPerSecond !== undefined) {
    observer.onMessage?.(slowEstimate({ network, recipe }, dataset, { name, macsPerSecond }));
  }
  const config: RunConfig = {
    dataset: describeDataset(dataset, plan),
    network,
    ...(head ? { head } : {}),
    recipe,
    preprocessing,
    ...(colours && recipe.augmentation.lighting !== undefined
      ? { colours: structuredClone(colours) as NonNullable<RunConfig["colours"]> }
      : {}),
    ...(patches ? { patches: structuredClone(patches) as NonNullable<RunConfig["patches"]> } : {}),
    ...(fineTuning ? { fineTuning } : {}),
    divergence: plan.divergence,
    precision,
    exact: plan.exact,
    engine: describeEngine(engine),
    machine: { ...describeMachine() },
    ...describeProcesses(job),
    command,
    started: new Date().toISOString(),
  };
  return { config, dataset, engine };
}

/** The plan's recipe with what follows from initial weights and the number of images. */
function recipeOf(
  { recipe, initFrom, loading }: RunPlan,
  fineTuning: RunConfig["fineTuning"],
  dataset: Dataset,
  { onMessage }: TrainObserver,
): RunConfig["recipe"] {
  const { length } = dataset.train;
  // Folds may differ by an image, but not in their settings.
  const { folds } = loading;
  const images =
    folds === undefined ? length : Math.floor(((length + validationSplit(dataset).length) * (folds - 1)) / folds);
  const sized = withFineTuningDefaults(recipe, initFrom?.open ?? [], images);
  if (sized) onMessage?.(sized.message);
  const own = sized?.recipe ?? recipe;
  // Images whose features are cached for the view of evaluation are not augmented.
  return fineTuning?.keptViews === 1 ? { ...own, augmentation: {} } : own;
}

/** Throws ConfigError if the last batch of an epoch has one image, and a layer one value per channel and image: the batch then has no variance. */
function refuseSingleValues(
  network: Network,
  { batchSize }: RunConfig["recipe"],
  fineTuning: RunConfig["fineTuning"],
  images: number,
): void {
  if (images % batchSize !== 1 && batchSize !== 1) return;
  const single = operations(network).find(
    ({ name, parameters, outputShape: [, ...map] }) =>
      parameters.some(({ isStatistic }) => isStatistic) && sizeOf(map) === 1 && !fineTuning?.frozen.includes(name),
  );
  if (!single) return;
  throw new ConfigError(
    `batchSize: expected at least 2 images in every batch, whose statistics ${single.name} computes, got 1 in the last of an epoch ` +
      `(${images} images in batches of ${batchSize}); choose another --batch-size, or freeze the layer`,
  );
}

/** Throws ConfigError for CutMix, which needs images, with cached features. */
function refuseCachedCutmix({ cutmix }: RunConfig["recipe"], fineTuning: RunConfig["fineTuning"]): void {
  if (!cutmix || !fineTuning?.keptViews) return;
  throw new ConfigError(
    "cutmix: expected images, got cached features of frozen layers; add --kept-views 0, or remove --cutmix",
  );
}

/** Throws ConfigError if the run cannot train, or the images differ from those that it was started with. */
async function resumeRun(
  plan: RunPlan,
  config: RunConfig,
  { observer = {}, signal, ...job }: PrepareCall,
): Promise<PreparedRun> {
  refuseCachedCutmix(config.recipe, config.fineTuning);
  const dataset = await plan.source.load({
    ...plan.loading,
    ...storedLimits(config.dataset),
    fitting: config.preprocessing,
    seed: config.recipe.seed,
    ...loadObserver(observer, signal),
  });
  refuseOtherImages(config.dataset, dataset);
  const { engine } = await selectEngine(plan.engine, plan.threads);
  const now = { ...describeMachine(), engine: engine.version, ...factsOfProcesses(describeProcesses(job)) };
  const then = { ...config.machine, engine: config.engine.version, ...factsOfProcesses(config) };
  for (const key of ["alexnet", "node", "cpu", "engine", "processes", "parallel", "MPI"] as const) {
    if (now[key] !== then[key])
      observer.onMessage?.(`${key}: ${now[key]} now, ${then[key]} when the run began; results may differ slightly`);
  }
  return { config, dataset, engine };
}

type StoredProcesses = Pick<RunConfig, "processes" | "parallel" | "mpi">;

/** Records of a run of several processes. */
function describeProcesses({ communicator: { size, library: mpi }, scheme }: Job): StoredProcesses {
  return mpi && size > 1 ? { processes: size, parallel: scheme, mpi } : {};
}

/** Facts that determine the order of sums. */
function factsOfProcesses({ processes = 1, parallel = "data", mpi }: StoredProcesses) {
  return {
    processes: String(processes),
    parallel: processes === 1 ? "none" : parallel,
    MPI: mpi ? `${mpi.name} ${mpi.version}` : "none",
  };
}

/**
 * Reports convolutions of a resumed run that now use another algorithm. Versions that recorded no algorithms used direct convolution or Winograd's,
 * depending on the machine.
 */
export function noteOtherAlgorithms(
  { algorithms: then }: Pick<RunConfig, "algorithms">,
  algorithms: Readonly<Record<string, string>> = {},
  { onMessage }: TrainObserver = {},
): void {
  const isOther = (layer: string, now: string) => (then ? then[layer] !== now : now === "dft");
  const other = Object.entries(algorithms).filter(([layer, now]) => isOther(layer, now));
  if (other.length === 0) return;
  const names = [...new Set(other.map(([, now]) => now))].map((now) => {
    const layers = other.flatMap(([layer, algorithm]) => (algorithm === now ? [layer] : []));
    return `${layers.join(", ")} by ${now}`;
  });
  onMessage?.(
    `convolutions: ${names.join("; ")} now, by another algorithm when the run began; rounding differs from now on`,
  );
}

/** Reports classes without a readable training image. */
function noteMissing({ train, classNames, listed, source }: Dataset, { onMessage }: TrainObserver): void {
  if (listed === undefined) return;
  const counts = countsByLabel(train, classNames.length);
  const missing = classNames.filter((_, label) => counts[label] === 0);
  if (missing.length > 0) onMessage?.(`${source}: no readable training image of ${missing.join(", ")}`);
}

function describeDataset(dataset: Dataset, { loading }: RunPlan): RunConfig["dataset"] {
  return {
    name: dataset.name,
    channels: dataset.channels,
    source: dataset.source,
    ...loading,
    trainImages: dataset.train.length,
    trainImagesPerClass: [...countsByLabel(dataset.train, dataset.classNames.length)],
    testImages: validationSplit(dataset).length,
    watched: dataset.validation ? "validation" : "test",
    ...(dataset.listed === undefined ? {} : { listed: dataset.listed }),
    classNames: [...dataset.classNames],
  };
}

/** True for the same classes: only a data set object can have others under its name. */
function hasClassesOf({ classNames }: RunConfig["dataset"], dataset: Dataset): boolean {
  return (
    dataset.classNames.length === classNames.length && dataset.classNames.every((name, c) => name === classNames[c])
  );
}

function hasCountsOf({ trainImages, testImages }: RunConfig["dataset"], dataset: Dataset): boolean {
  return dataset.train.length === trainImages && validationSplit(dataset).length === testImages;
}

function hasImagesOf(stored: RunConfig["dataset"], dataset: Dataset): boolean {
  return hasCountsOf(stored, dataset) && (stored.listed === undefined || stored.listed === dataset.listed);
}

/** True for a run on a folder under limits of an earlier version, which chose images regardless of class. */
function isChosenOtherwise(stored: RunConfig["dataset"]): boolean {
  const { trainLimit, testLimit } = storedLimits(stored);
  return stored.listed !== undefined && [trainLimit, testLimit].some((limit) => typeof limit === "object");
}

/** Throws ConfigError if images, their order or their classes differ from those that the run was started with. */
function refuseOtherImages(stored: RunConfig["dataset"], dataset: Dataset): void {
  const { source, train } = dataset;
  if (hasImagesOf(stored, dataset)) {
    if (hasClassesOf(stored, dataset)) return;
    throw new ConfigError(
      `${source}: expected the classes that the run was started with (${stored.classNames.join(", ")}), got ${dataset.classNames.join(", ")}`,
    );
  }
  if (hasCountsOf(stored, dataset)) {
    throw new ConfigError(
      `${source}: expected the image files that the run was started with, got others: some were added, removed, renamed or moved; ` +
        "restore them, or start another run",
    );
  }
  throw new ConfigError(
    `${source}: expected the ${stored.trainImages} training and ${stored.testImages} test images that the run was started with, ` +
      `got ${train.length} and ${validationSplit(dataset).length}; give their folder with --data-dir`,
  );
}

function describeEngine({ name, version, description, threads }: Engine): RunConfig["engine"] {
  return { name, version, description, threads };
}

/** Estimates the duration of a run on a slow engine. */
function slowEstimate(
  { network, recipe }: Pick<RunConfig, "network" | "recipe">,
  dataset: Dataset,
  { name, macsPerSecond }: { readonly name: string; readonly macsPerSecond: number },
): string {
  const { macs } = summarize(network).totals;
  // Forward and backward together take about three times the arithmetic of the forward pass.
  const images = 3 * recipe.epochs * dataset.train.length + Math.ceil(recipe.epochs) * validationSplit(dataset).length;
  const seconds = (images * macs) / macsPerSecond;
  return `engine: the ${name} engine will take about ${formatDuration(seconds)}; --engine auto is faster`;
}
