/** Resumes a run as it was started, and refuses differing settings. */
import { isDeepStrictEqual } from "node:util";
import type { Dataset } from "../dataset/dataset.ts";
import { validationSplit } from "../dataset/dataset.ts";
import { defaultSplit } from "../dataset/folder/splitFolder.ts";
import { defaultMaxBad } from "../dataset/pack/pack.ts";
import { findDataset } from "../dataset/sources/datasets.ts";
import { describeMachine } from "../engine/select/machine.ts";
import { selectEngine } from "../engine/select/selectEngine.ts";
import { ConfigError } from "../errors.ts";
import { withClasses, withInput } from "../network/network.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import { defined, resolveNetwork, resolveRecipe } from "../settings/settings.ts";
import { describeClassWeights } from "../training/objective/classWeights.ts";
import type { Recipe } from "../training/recipe.ts";
import { frozenLayers } from "./fineTunePlan.ts";
import { originOf } from "./initFrom.ts";
import { loadObserver, type PreparedRun, type RunSettings } from "./runSetup.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** Takes up a run as it was started. Throws ConfigError naming every setting that differs from what is stored. */
export async function resumeRun(
  config: RunConfig,
  settings: RunSettings,
  observer: TrainObserver,
  signal?: AbortSignal,
): Promise<PreparedRun> {
  await refuseChanges(config, settings);
  const source = await findDataset(config.dataset.name);
  const dataset = await source.load({
    ...config.dataset,
    dataDir: settings.dataDir ?? config.dataset.dataDir,
    fitting: config.preprocessing,
    seed: config.recipe.seed,
    ...loadObserver(observer, signal),
  });
  refuseOtherImages(config, dataset);
  const { engine } = await selectEngine(
    config.engine.name === "onednn" ? "onednn" : "reference",
    config.engine.threads,
  );
  const now = { ...describeMachine(), engine: engine.version };
  const then = { ...config.machine, engine: config.engine.version };
  for (const key of ["alexnet", "node", "cpu", "engine"] as const) {
    if (now[key] !== then[key])
      observer.onMessage?.(`${key}: ${now[key]} now, ${then[key]} when the run began; results may differ slightly`);
  }
  return { config, dataset, engine };
}

/** Throws ConfigError naming every setting that is given and differs from what the run was started with, with both values. */
async function refuseChanges(config: RunConfig, settings: RunSettings): Promise<void> {
  const { network, recipe, dataset, engine } = config;
  const { classWeights } = settings;
  const tuning = config.fineTuning;
  const given: readonly (readonly [flag: string, given: unknown, stored: unknown])[] = [
    ["DATASET", settings.dataset && (await findDataset(settings.dataset)).name, dataset.name],
    ["--network", await givenNetwork(config, settings), config.network.name],
    ["--recipe", await givenRecipe(config, settings), recipe.name],
    ["--from", settings.from && originOf(settings.from), tuning?.from],
    ["--freeze", settings.freeze && namesOf(frozenLayers(network, settings.freeze)), namesOf(tuning?.frozen ?? [])],
    ["--old-layers-rate", settings.oldLayersRate, tuning?.oldLayersRate],
    ["--kept-views", settings.keptViews, tuning?.keptViews],
    ["--epochs", settings.epochs, recipe.epochs],
    ["--batch-size", settings.batchSize, recipe.batchSize],
    ["--learning-rate", settings.learningRate, recipe.learningRate],
    ["--optimizer", settings.optimizer, recipe.optimizer.kind],
    ["--momentum", settings.momentum, momentumOf(recipe)],
    ["--nesterov", settings.nesterov, "form" in recipe.optimizer && recipe.optimizer.form === "nesterov"],
    ["--weight-decay", settings.weightDecay, recipe.optimizer.weightDecay],
    ["--clip-norm", settings.clipNorm, recipe.clipNorm],
    ["--accumulate", settings.accumulate, recipe.accumulate],
    ["--average", settings.average, recipe.average],
    ["--schedule", settings.schedule, recipe.schedule.kind],
    ["--warmup", settings.warmup, recipe.warmup],
    ["--seed", settings.seed, recipe.seed],
    ["--input-size", settings.inputSize, config.preprocessing.size[0]],
    ["--train-limit", settings.trainLimit, dataset.trainLimit],
    ["--test-limit", settings.testLimit, dataset.testLimit],
    ["--validation-share", settings.validationShare, dataset.validationShare ?? defaultSplit.validationShare],
    ["--max-bad", settings.maxBad, dataset.maxBad ?? defaultMaxBad],
    ["--fit", settings.fit, recipe.fit],
    ["--filter", settings.filter, recipe.filter],
    ["--normalization", settings.normalization, recipe.normalization],
    ["--label-smoothing", settings.labelSmoothing, recipe.labelSmoothing],
    ["--mixup", settings.mixup, recipe.mixup],
    ["--class-weights", classWeights && describeClassWeights(classWeights), describeClassWeights(recipe.classWeights)],
    ["--sampler", settings.sampler, recipe.sampler],
    ["--early-stopping", settings.earlyStopping, recipe.earlyStopping?.patience],
    ["--augment", settings.augment && namesOf(settings.augment), namesOf(Object.keys(recipe.augmentation))],
    ["--engine", settings.engine === "auto" ? undefined : settings.engine, engine.name],
    ["--precision", settings.precision === "auto" ? undefined : settings.precision, config.precision],
    ["--exact", settings.exact, config.exact],
    ["--threads", engine.name === "onednn" ? settings.threads : undefined, engine.threads],
  ];
  const changed = given.filter(([, value, stored]) => value !== undefined && value !== stored);
  if (changed.length === 0) return;
  const lines = changed.map(
    ([flag, value, stored]) => `${flag} is ${String(value)}, the run was started with ${String(stored ?? "none")}`,
  );
  throw new ConfigError(`resume: ${lines.join("; ")}; leave it out, or start another run`);
}

function namesOf(names: readonly string[]): string {
  return names.toSorted().join(",") || "none";
}

/** Throws ConfigError if the images are not those that the run was started with: their order or their classes would be others. */
function refuseOtherImages({ dataset: { trainImages, testImages, listed } }: RunConfig, dataset: Dataset): void {
  const { source, train } = dataset;
  const test = validationSplit(dataset);
  if (train.length === trainImages && test.length === testImages) {
    if (listed === undefined || listed === dataset.listed) return;
    throw new ConfigError(
      `${source}: expected the picture files that the run was started with, got others: some were added, removed, renamed or moved; ` +
        "put them back, or start another run",
    );
  }
  throw new ConfigError(
    `${source}: expected the ${trainImages} training and ${testImages} test images that the run was started with, ` +
      `got ${train.length} and ${test.length}; give their folder with --data-dir`,
  );
}

async function givenNetwork({ network: stored, dataset }: RunConfig, { network }: RunSettings) {
  if (network === undefined) return undefined;
  const given = await resolveNetwork(network);
  if (given.name !== stored.name) return given.name;
  return nameWithChanges(withClasses(withInput(given, stored.input), dataset.classNames.length), stored);
}

function momentumOf({ optimizer }: Recipe): number | undefined {
  return "momentum" in optimizer ? optimizer.momentum : undefined;
}

/**
 * Single values are compared by their own flags: which of them came from the recipe is not stored. Kinds of optimizer and schedule come with
 * options of their own, so with a recipe they must be given again.
 */
async function givenRecipe({ recipe: stored }: RunConfig, { recipe, optimizer, nesterov, schedule }: RunSettings) {
  if (recipe === undefined) return undefined;
  const { earlyStopping, ...values } = stored;
  const { weightDecay } = stored.optimizer;
  const kinds = { optimizer, nesterov, schedule };
  const resolved = await resolveRecipe(
    recipe,
    defined({ ...values, momentum: momentumOf(stored), weightDecay, ...kinds }),
  );
  const { augmentation, clipNorm, average } = stored;
  return nameWithChanges({ ...resolved, augmentation, ...defined({ clipNorm, average, earlyStopping }) }, stored);
}

/** The given one's name, and what else of it differs from the stored one if the name does not. */
function nameWithChanges<T extends { readonly name: string }>(given: T, stored: T): string {
  const keys = new Set([...Object.keys(given), ...Object.keys(stored)]) as Set<string & keyof T>;
  const changed = [...keys].filter((key) => !isDeepStrictEqual(given[key], stored[key]));
  return changed.length === 0 || given.name !== stored.name
    ? given.name
    : `${given.name} with other ${changed.join(", ")}`;
}
