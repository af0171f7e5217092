/** Network and recipe from names, files and overrides. */
import { readFile } from "node:fs/promises";
import { ConfigError, messageOf } from "../errors.ts";
import { type Augmentation, type AugmentationName, usualAugmentation } from "../image/augment/augmentation.ts";
import type { FitName } from "../image/prepare/fit.ts";
import type { Filter } from "../image/resize/taps.ts";
import { findNetwork } from "../network/alexnet.ts";
import { type Network, parseNetwork } from "../network/network.ts";
import type { OptimizerName } from "../training/optimizers/optimizers.ts";
import { findRecipe, parseRecipe, type Recipe } from "../training/recipe.ts";
import type { ScheduleName } from "../training/schedule.ts";

/** Single values of a recipe that can be set beside it. */
export interface RecipeOverrides {
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  /** Of another kind than the recipe's, it has the defaults of its kind. */
  readonly optimizer?: OptimizerName;
  /** SGD's. */
  readonly momentum?: number;
  /** SGD in Nesterov's form. */
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  readonly clipNorm?: number;
  readonly accumulate?: number;
  readonly average?: number;
  /** Of another kind than the recipe's, it has the defaults of its kind. */
  readonly schedule?: ScheduleName;
  readonly warmup?: number;
  readonly seed?: number;
  readonly fit?: FitName;
  readonly filter?: Filter;
  readonly normalization?: Recipe["normalization"];
  readonly labelSmoothing?: number;
  readonly mixup?: number;
  readonly classWeights?: Recipe["classWeights"];
  readonly sampler?: Recipe["sampler"];
  /** Evaluations without a better accuracy after which a run ends. */
  readonly earlyStopping?: number;
  /** What is done to training pictures: these and no others, as strong as in the recipe, or else as usual. */
  readonly augment?: readonly AugmentationName[];
}

/** A network by name, by JSON file, or as it is. Throws ConfigError if there is none or the file does not hold one. */
export async function resolveNetwork(network: string | Network): Promise<Network> {
  if (typeof network !== "string") return network;
  return isFile(network) ? parseNetwork(await readJson(network), network) : findNetwork(network);
}

/** A recipe by name, by JSON file, or as it is, with single values replaced. Throws ConfigError naming what does not fit. */
export async function resolveRecipe(recipe: string | Recipe, overrides: RecipeOverrides): Promise<Recipe> {
  const base = await baseRecipe(recipe);
  const { augment, earlyStopping: patience, ...values } = overrides;
  const { epochs, batchSize, learningRate, seed, fit, filter, normalization } = values;
  const { clipNorm, accumulate, average, warmup } = values;
  const augmentation = augment ? chosenAugmentation(augment, base.augmentation) : base.augmentation;
  const { labelSmoothing, mixup, classWeights, sampler } = values;
  const input = defined({ epochs, batchSize, learningRate, seed, fit, filter, normalization });
  const objective = defined({ labelSmoothing, mixup, classWeights, sampler });
  const steps = defined({ clipNorm, accumulate, average, warmup });
  const stopping = patience === undefined ? {} : { earlyStopping: { ...base.earlyStopping, patience } };
  return parseRecipe(
    {
      ...base,
      ...input,
      ...objective,
      ...steps,
      ...stopping,
      optimizer: chosenOptimizer(base, overrides),
      schedule: chosenSchedule(base, overrides),
      augmentation,
    },
    typeof recipe === "string" ? `recipe ${recipe}` : "recipe",
  );
}

function chosenOptimizer(base: Recipe, overrides: RecipeOverrides): unknown {
  const { optimizer: kind = base.optimizer.kind, momentum, nesterov, weightDecay } = overrides;
  const own = kind === base.optimizer.kind ? base.optimizer : { kind };
  return { ...own, ...defined({ momentum, weightDecay, form: nesterov ? "nesterov" : undefined }) };
}

function chosenSchedule(base: Recipe, { schedule: kind = base.schedule.kind }: RecipeOverrides): unknown {
  return kind === base.schedule.kind ? base.schedule : { kind };
}

function chosenAugmentation(names: readonly AugmentationName[], own: Augmentation): Augmentation {
  return Object.fromEntries(names.map((name) => [name, own[name] ?? usualAugmentation[name]]));
}

async function baseRecipe(recipe: string | Recipe): Promise<Recipe> {
  if (typeof recipe !== "string") return recipe;
  return isFile(recipe) ? parseRecipe(await readJson(recipe), recipe) : findRecipe(recipe);
}

function isFile(name: string): boolean {
  return name.endsWith(".json");
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`${path}: expected a JSON file: ${messageOf(cause)}`, { cause });
  }
}

/** An object without its undefined members. */
export function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
