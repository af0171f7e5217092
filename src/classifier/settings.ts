import { readFile } from "node:fs/promises";
import type { Dataset } from "../dataset/dataset.ts";
import { ConfigError, messageOf } from "../errors.ts";
import type { Preprocessing } from "../image/preprocess.ts";
import { findNetwork } from "../network/alexnet.ts";
import { classesOf, type Network, parseNetwork, withClasses, withInput } from "../network/network.ts";
import { findRecipe, parseRecipe, type Recipe } from "../training/recipe.ts";

/** Single values of a recipe that can be set beside it. */
export interface RecipeOverrides {
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly seed?: number;
}

/** A network by name, by JSON file, or as it is. Throws ConfigError if there is none or the file does not hold one. */
export async function resolveNetwork(network: string | Network): Promise<Network> {
  if (typeof network !== "string") return network;
  return isFile(network) ? parseNetwork(await readJson(network), network) : findNetwork(network);
}

/** A recipe by name, by JSON file, or as it is, with single values replaced. Throws ConfigError naming what does not fit. */
export async function resolveRecipe(recipe: string | Recipe, overrides: RecipeOverrides): Promise<Recipe> {
  const base = await baseRecipe(recipe);
  const { epochs, batchSize, learningRate, seed, momentum, weightDecay } = overrides;
  const optimizer = { ...base.optimizer, ...defined({ momentum, weightDecay }) };
  return parseRecipe(
    { ...base, ...defined({ epochs, batchSize, learningRate, seed }), optimizer },
    typeof recipe === "string" ? `recipe ${recipe}` : "recipe",
  );
}

async function baseRecipe(recipe: string | Recipe): Promise<Recipe> {
  if (typeof recipe !== "string") return recipe;
  return isFile(recipe) ? parseRecipe(await readJson(recipe), recipe) : findRecipe(recipe);
}

/**
 * The network for a data set's classes and an input size (default the network's own).
 *
 * Throws ConfigError if its input has other than 1 or 3 channels or it does not end in one output for each class.
 */
export function fitNetwork(network: Network, classes: number, inputSize: number | undefined): Network {
  const [channels, height, width] = network.input;
  if (channels !== 1 && channels !== 3) {
    throw new ConfigError(`${network.name}: expected an input of 1 or 3 channels, got ${channels}`);
  }
  const fitted = withClasses(withInput(network, [channels, inputSize ?? height, inputSize ?? width]), classes);
  const outputs = classesOf(fitted);
  if (outputs === classes) return fitted;
  throw new ConfigError(
    `${network.name}: expected ${classes} outputs, one for each class, got ${outputs}; let it end in a linear layer`,
  );
}

/** How a data set's images become this network's input. */
export function choosePreprocessing(network: Network, dataset: Dataset, recipe: Recipe): Preprocessing {
  const [channels, height, width] = network.input;
  const one = channels === 1;
  const fit = (values: readonly number[], gray: number) => {
    if (values.length === channels) return [...values];
    return one ? [gray] : Array<number>(channels).fill(values[0] as number);
  };
  const standard = recipe.normalization === "standard";
  const { mean, deviation } = dataset;
  return {
    size: [height, width],
    channels: one ? 1 : 3,
    fit: { kind: "resize" },
    resize: "bilinear",
    mean: standard ? fit(mean, luma(mean)) : Array<number>(channels).fill(0),
    deviation: standard ? fit(deviation, luma(deviation)) : Array<number>(channels).fill(1),
  };
}

/** What is done to the images' channels, in words; undefined if nothing. */
export function channelNote(network: Network, dataset: Dataset): string | undefined {
  const [channels] = network.input;
  if (channels === dataset.channels) return undefined;
  return channels === 3
    ? `${dataset.name} has one channel, ${network.name} takes three: grey is repeated`
    : `${dataset.name} is in colour, ${network.name} takes one channel: colour becomes luma`;
}

/** Rec. 601, as the images' own conversion. */
function luma(rgb: readonly number[]): number {
  const [red = 0, green = red, blue = red] = rgb;
  return 0.299 * red + 0.587 * green + 0.114 * blue;
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
function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
