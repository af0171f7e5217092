/** Resolves settings to the plan of a run; all later code uses the plan. */
import { readdir } from "node:fs/promises";
import { resolve as absolute, join } from "node:path";
import type { DatasetSource } from "../dataset/dataset.ts";
import { findDataset, storedDataset } from "../dataset/sources/datasets.ts";
import { type EngineName, mayResume, storedEngine } from "../engine/select/engineNames.ts";
import type { PrecisionName } from "../engine/select/precision.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { fileNameOf } from "../fileName.ts";
import { type Network, withInput } from "../network/network.ts";
import { lowRateWarning } from "../training/lowRate.ts";
import { defaultRecipe, type Recipe } from "../training/recipe.ts";
import { dependsOnEpochs } from "../training/schedule.ts";
import { refuseChanges } from "./changes.ts";
import { type DivergencePolicy, divergencePolicySchema } from "./divergencePolicy.ts";
import { openKeys, type SizedKey } from "./fineTuningDefaults.ts";
import { type InitFrom, readInitFrom, withInitFrom } from "./initFrom.ts";
import { defaultNetwork, loadNetwork, loadRecipe, locatedFile } from "./load.ts";
import { withOverrides } from "./overrides.ts";
import { loadingOf, type RunConfig, readRunConfig, withGiven } from "./runConfig.ts";
import { checkedSettings, flagOf, type Members, type SettingTable } from "./setting.ts";
import { type LoadSettings, type RunSettings, settings as table } from "./settings.ts";

/** Directory of a run, and permission to resume it. */
export interface RunLocation {
  /** Directory of the run. Default: a new one under `runs/`. */
  readonly run?: string;
  /** Resume the run in the directory. */
  readonly resume?: boolean;
}

/** Initialization and frozen layers of a run that starts from a weights file. */
export interface TuningPlan {
  readonly from: InitFrom;
  /** Layers not to train: names, `conv` or `none`. */
  readonly freeze: readonly string[];
  readonly oldLayersRate: number;
  /** Undefined: depends on the frozen layers. */
  readonly keptViews: number | undefined;
  /** Requested augmentations, beyond those of the recipe. */
  readonly augment: readonly string[];
  /** Pixel values have the scale of the weights, not that of the data set. */
  readonly keepsScale: boolean;
  /** Values of the recipe that follow from the number of images. */
  readonly open: readonly SizedKey[];
}

/** All decisions on a run that do not require its data set. */
export interface RunPlan {
  /** Directory of the run; by default a new one, `runs/<network>-<n>`. */
  readonly directory: string;
  readonly source: DatasetSource;
  readonly loading: LoadSettings;
  /** Initial weights. */
  readonly initFrom: TuningPlan | undefined;
  readonly recipe: Recipe;
  /** Network before it is fitted to data set and input size; undefined if it depends on the size of the images. */
  readonly network: Network | undefined;
  /** Height and width of the network's input; undefined for the network's own. */
  readonly inputSize: number | undefined;
  readonly divergence: DivergencePolicy;
  readonly engine: EngineName;
  readonly threads: number | undefined;
  readonly precision: PrecisionName;
  readonly exact: boolean;
  /** Configuration of the run to resume. */
  readonly stored: RunConfig | undefined;
  /** Run whose configuration the settings come from, including all those of its images. */
  readonly repeats: RunConfig["dataset"] | undefined;
  /** Messages for people. */
  readonly messages: readonly string[];
}

/** Inputs of a plan besides the settings. */
export interface ResolveOptions {
  /** Values at paths in the recipe, such as `augmentation.flip`; they override the settings. */
  readonly places?: Members;
  readonly repeats?: RunConfig["dataset"] | undefined;
  /** Source of the data set that the setting `dataset` names. Default: a named one, or a folder. */
  readonly source?: DatasetSource | undefined;
}

/**
 * Resolves the settings of a run: replaces names by the objects they stand for, fills in defaults and validates everything. On resume, the plan is
 * the stored one.
 *
 * Throws ConfigError for settings that are invalid or differ from those of the run to resume, and CheckpointError for unreadable weights.
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
  const longer = withMoreEpochs(stored, settings.epochs);
  await refuseChanges(settings, longer);
  return storedPlan(run, longer, settings, given);
}

/**
 * The configuration of a run to resume with more epochs, with the same result as a run that started with them. Unchanged for other numbers, which
 * `refuseChanges` compares. Throws ConfigError for a learning rate that depends on the number of epochs.
 */
function withMoreEpochs(stored: RunConfig, epochs: number | undefined): RunConfig {
  const { recipe } = stored;
  if (epochs === undefined || epochs <= recipe.epochs) return stored;
  const { schedule } = recipe;
  const planned = `${recipe.epochs} epoch${recipe.epochs === 1 ? "" : "s"}`;
  if (dependsOnEpochs(schedule)) {
    throw new ConfigError(
      `resume: --epochs ${epochs}: the ${schedule.kind} schedule of the run is planned for ${planned}; ` +
        "start a new run from its weights with --from",
    );
  }
  if (!Number.isInteger(recipe.epochs)) {
    throw new ConfigError(
      `resume: --epochs ${epochs}: the run is planned for ${planned} and ends within one; ` +
        "start a new run from its weights with --from",
    );
  }
  if ((recipe.warmup ?? 0) > recipe.epochs) {
    throw new ConfigError(
      `resume: --epochs ${epochs}: the warm-up of ${recipe.warmup} epochs was shortened to the ${planned} of the run; ` +
        "start a new run from its weights with --from",
    );
  }
  return { ...stored, recipe: { ...recipe, epochs } };
}

/** Error for a directory that contains a run. */
export function directoryTaken(directory: string): ConfigError {
  return new ConfigError(
    `${directory} already contains a run; add --resume to continue it, or choose another directory with --run`,
  );
}

/** Plan of a stored run, with the settings that resume may replace, such as the data directory. */
export async function storedPlan(
  directory: string,
  stored: RunConfig,
  settings: RunSettings = {},
  source?: DatasetSource,
): Promise<RunPlan> {
  const { network, recipe, engine, precision, exact } = stored;
  const rows: SettingTable = table;
  const wanted = settings.engine ?? "auto";
  const isOther = mayResume(wanted, engine.name);
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
    ...(isOther
      ? { engine: wanted, threads: settings.threads }
      : { engine: storedEngine(engine.name), threads: engine.threads }),
    precision,
    exact,
    stored,
    repeats: undefined,
    messages: [],
  };
}

type NewPlan = Omit<RunPlan, "repeats" | "messages">;

/** A repeated run keeps its data set, and so does the default, even if a folder has the same name. */
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
  const base = await loadRecipe(settings.recipe ?? defaultRecipe(source.channels, settings.fit));
  const { monitor = table.monitor.default, ...overridden } = withOverrides(base, settings, places);
  const recipe = { ...overridden, monitor };
  const named = settings.network ?? recipe.network;
  const isOpen = named === undefined && recipe.fit === "native";
  const loaded = isOpen ? undefined : await loadNetwork(named ?? defaultNetwork(source));
  const network = loaded && settings.network === undefined ? forImages(loaded, recipe, source) : loaded;
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

/** A recipe's own network takes the channels of native images; a requested network keeps its own. */
function forImages(network: Network, { fit }: Recipe, { channels }: DatasetSource): Network {
  const [, ...size] = network.input;
  return fit === "native" ? withInput(network, [channels, ...size]) : network;
}

function tuningOf(from: InitFrom, given: RunSettings, recipe: Recipe, places: Members): TuningPlan {
  const isAugmented = Object.keys(places).some((place) => place.split(".")[0] === "augmentation");
  return {
    from,
    freeze: given.freeze ?? [],
    oldLayersRate: given.oldLayersRate ?? table.oldLayersRate.default,
    keptViews: given.keptViews,
    augment: isAugmented ? Object.keys(recipe.augmentation) : (given.augment ?? []),
    keepsScale: given.normalization === undefined,
    open: openKeys(given, places),
  };
}

/** Throws UsageError for settings that require another one. */
function refuseMeaningless(given: Members): void {
  const rows: SettingTable = table;
  for (const [key, row] of Object.entries(rows)) {
    const needed = row.needs === undefined ? undefined : rows[row.needs];
    if (!needed || row.needs === undefined || given[key] === undefined || given[row.needs] !== undefined) continue;
    throw new UsageError(`${flagOf(key, row)}: requires initial weights; add ${flagOf(row.needs, needed)}`);
  }
}

function absoluteLoading({ dataDir, ...loading }: LoadSettings): LoadSettings {
  const located = Object.fromEntries(
    Object.entries(loading).map(([key, value]) => [key, locatedFile((table as SettingTable)[key], value)]),
  );
  return dataDir === undefined ? located : { dataDir: absolute(dataDir), ...located };
}

/** First of `runs/<name>-<n>` that does not exist; the name of a network never leads out of `runs/`. */
async function newDirectory(networkName: string): Promise<string> {
  const name = fileNameOf(networkName, "network");
  const taken = await readdir("runs").catch((): string[] => []);
  let n = 1;
  while (taken.includes(`${name}-${n}`)) n++;
  return join("runs", `${name}-${n}`);
}
