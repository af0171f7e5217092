/** From settings to the plan of a run, once: everything after it takes the plan. */
import { readdir } from "node:fs/promises";
import { resolve as absolute, join } from "node:path";
import type { DatasetSource } from "../dataset/dataset.ts";
import { findDataset, storedDataset } from "../dataset/sources/datasets.ts";
import { type EngineName, storedEngine } from "../engine/select/engineNames.ts";
import type { PrecisionName } from "../engine/select/precision.ts";
import { ConfigError } from "../errors.ts";
import type { Network } from "../network/network.ts";
import type { Recipe } from "../training/recipe.ts";
import { lowRateWarning } from "../training/schedule.ts";
import { refuseChanges } from "./changes.ts";
import { type DivergencePolicy, divergencePolicySchema } from "./divergencePolicy.ts";
import { type InitFrom, readInitFrom, withInitFrom } from "./initFrom.ts";
import { defaultNetwork, defaultRecipe, loadNetwork, loadRecipe } from "./load.ts";
import { withOverrides } from "./overrides.ts";
import { loadingOf, type RunConfig, readRunConfig, withGiven } from "./runConfig.ts";
import { checkedSettings, flagOf, type Members, type SettingTable } from "./setting.ts";
import { type LoadSettings, type RunSettings, settings as table } from "./settings.ts";

/** Where a run is kept, and whether it may be there already. */
export interface RunLocation {
  /** The run's directory. Default: a new one under `runs/`. */
  readonly run?: string;
  /** Resume the run in the directory. */
  readonly resume?: boolean;
}

/** What a run that begins with weights of a file takes from them and trains. */
export interface TuningPlan {
  readonly from: InitFrom;
  /** Names of layers, `conv` and `none`, that are not trained. */
  readonly freeze: readonly string[];
  readonly oldLayersRate: number;
  /** Undefined: by the layers that are frozen. */
  readonly keptViews: number | undefined;
  /** Changes of training images that were asked for, beyond those of the recipe. */
  readonly augment: readonly string[];
  /** The scale of pixel values is the weights' own, not that of the data set. */
  readonly keepsScale: boolean;
}

/** All decisions on a run that can be made before its data set is loaded. */
export interface RunPlan {
  /** The run's directory: a new one, `runs/<network>-<n>`, where none was given. */
  readonly directory: string;
  readonly source: DatasetSource;
  readonly loading: LoadSettings;
  /** Weights to begin with. */
  readonly initFrom: TuningPlan | undefined;
  readonly recipe: Recipe;
  /** Before it is fitted to data set and input size; undefined if it follows from the size of the images. */
  readonly network: Network | undefined;
  /** Height and width of the network's input; undefined: the network's own. */
  readonly inputSize: number | undefined;
  readonly divergence: DivergencePolicy;
  readonly engine: EngineName;
  readonly threads: number | undefined;
  readonly precision: PrecisionName;
  readonly exact: boolean;
  /** The configuration of the run in the directory, if it is to be resumed. */
  readonly stored: RunConfig | undefined;
  /** Run whose configuration the settings are from, all those of its images included. */
  readonly repeats: RunConfig["dataset"] | undefined;
  /** What people should know. */
  readonly messages: readonly string[];
}

/** What the plan of a run depends on besides its settings. */
export interface ResolveOptions {
  /** Values at places in the recipe, such as `augmentation.flip`; they come after the settings. */
  readonly places?: Members;
  readonly repeats?: RunConfig["dataset"] | undefined;
  /** Source of the data set that the setting `dataset` names. Default: a named one, or a folder. */
  readonly source?: DatasetSource | undefined;
}

/**
 * Resolves the settings of a run: names become the things they stand for, defaults are filled in, everything is checked. On resume the plan is the
 * stored one.
 *
 * Throws ConfigError for settings that do not fit, or that differ from those of the run to be resumed; CheckpointError for weights that cannot be read.
 */
export async function resolve(
  asked: RunSettings & RunLocation = {},
  { places = {}, repeats, source: given }: ResolveOptions = {},
): Promise<RunPlan> {
  const { run, resume } = asked;
  const settings = checkedSettings(table, asked);
  const stored = run === undefined ? undefined : await readRunConfig(run);
  if (run === undefined || !stored) {
    const messages: string[] = [];
    const source = given ?? (await sourceOf(settings, repeats, (message) => messages.push(message)));
    const plan = await newPlan(settings, source, places, run);
    if (resume) messages.unshift(`${plan.directory}: no run to resume; starting a new one`);
    const warning = lowRateWarning(plan.recipe);
    if (warning !== undefined) messages.push(warning);
    return { ...plan, repeats, messages };
  }
  if (!resume) throw directoryTaken(run);
  await refuseChanges(settings, stored);
  return storedPlan(run, stored, settings, given);
}

/** The error for a directory that contains a run. */
export function directoryTaken(directory: string): ConfigError {
  return new ConfigError(
    `${directory} already contains a run; add --resume to continue it, or choose another directory with --run`,
  );
}

/** The plan of a run as it was started, but for settings that resume may replace, such as the data directory. */
export async function storedPlan(
  directory: string,
  stored: RunConfig,
  settings: RunSettings = {},
  source?: DatasetSource,
): Promise<RunPlan> {
  const { network, recipe, engine, precision, exact } = stored;
  const rows: SettingTable = table;
  const replacing = Object.fromEntries(Object.entries(settings).filter(([key]) => rows[key]?.onResume === "replace"));
  return {
    directory,
    source: source ?? (await storedDataset(stored.dataset.name)),
    loading: absoluteLoading(loadingOf({ ...stored.dataset, ...replacing })),
    initFrom: undefined,
    recipe,
    network,
    inputSize: undefined,
    divergence: divergencePolicySchema.parse(withGiven("divergence", stored.divergence, replacing)),
    engine: storedEngine(engine.name),
    threads: engine.threads,
    precision,
    exact,
    stored,
    repeats: undefined,
    messages: [],
  };
}

type NewPlan = Omit<RunPlan, "repeats" | "messages">;

/** A run that is repeated keeps its data set, as does the default one, whatever folders have their names. */
function sourceOf(
  { dataset, dataDir }: RunSettings,
  repeats: ResolveOptions["repeats"],
  onMessage: (message: string) => void,
): Promise<DatasetSource> {
  const isKept = dataset === undefined || dataset === repeats?.name;
  return isKept ? storedDataset(dataset ?? table.dataset.default) : findDataset(dataset, { dataDir, onMessage });
}

async function newPlan(
  given: RunSettings,
  source: DatasetSource,
  places: Members,
  run: string | undefined,
): Promise<NewPlan> {
  refuseMeaningless(given);
  const weights = given.from === undefined ? undefined : await readInitFrom(given.from);
  const settings = weights ? withInitFrom(given, weights) : given;
  const base = await loadRecipe(settings.recipe ?? defaultRecipe(source, settings.fit));
  const { monitor = table.monitor.default, ...overridden } = withOverrides(base, settings, places);
  const recipe = { ...overridden, monitor };
  const named = settings.network ?? recipe.network;
  const isOpen = named === undefined && recipe.fit === "native";
  const network = isOpen ? undefined : await loadNetwork(named ?? defaultNetwork(source));
  return {
    directory: run ?? (await newDirectory(network?.name ?? recipe.fit)),
    source,
    loading: absoluteLoading(loadingOf(given)),
    initFrom: weights && tuningOf(weights, given, recipe, places),
    recipe,
    network,
    inputSize: settings.inputSize,
    divergence: divergencePolicySchema.parse(withGiven("divergence", {}, settings)),
    engine: settings.engine ?? "auto",
    threads: settings.threads,
    precision: settings.precision ?? "auto",
    exact: settings.exact ?? false,
    stored: undefined,
  };
}

function tuningOf(from: InitFrom, given: RunSettings, recipe: Recipe, places: Members): TuningPlan {
  const isAugmented = Object.keys(places).some((place) => place.split(".")[0] === "augmentation");
  return {
    from,
    freeze: given.freeze ?? [],
    oldLayersRate: given.oldLayersRate ?? table.oldLayersRate.default,
    keptViews: given.keptViews,
    augment: given.augment ?? (isAugmented ? Object.keys(recipe.augmentation) : []),
    keepsScale: given.normalization === undefined,
  };
}

/** Throws ConfigError for settings that mean nothing without another one. */
function refuseMeaningless(given: Members): void {
  const rows: SettingTable = table;
  for (const [key, row] of Object.entries(rows)) {
    const needed = row.needs === undefined ? undefined : rows[row.needs];
    if (!needed || row.needs === undefined || given[key] === undefined || given[row.needs] !== undefined) continue;
    throw new ConfigError(
      `${flagOf(key, row)}: expected weights to begin with; give them with ${flagOf(row.needs, needed)}`,
    );
  }
}

function absoluteLoading({ dataDir, ...loading }: LoadSettings): LoadSettings {
  return dataDir === undefined ? loading : { dataDir: absolute(dataDir), ...loading };
}

/** The first of `runs/<name>-<n>` that does not exist. */
async function newDirectory(name: string): Promise<string> {
  const taken = await readdir("runs").catch((): string[] => []);
  let n = 1;
  while (taken.includes(`${name}-${n}`)) n++;
  return join("runs", `${name}-${n}`);
}
