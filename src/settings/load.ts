/** Networks and recipes by name, from JSON files, or as they are. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { DatasetSource } from "../dataset/dataset.ts";
import { ConfigError, messageOf } from "../errors.ts";
import type { PixelSize } from "../image/image.ts";
import { findNetwork } from "../network/alexnet.ts";
import { type Network, parseNetwork } from "../network/network.ts";
import { parseJsonText } from "../schema.ts";
import { findRecipe, parseRecipe, type Recipe } from "../training/recipe.ts";
import type { Setting } from "./setting.ts";

/** Loads a network. Throws ConfigError if the name is unknown or the file does not contain one. */
export async function loadNetwork(network: string | Network): Promise<Network> {
  if (typeof network !== "string") return parseNetwork(network, "network");
  return isFile(network) ? parseNetwork(await readJson(network), network) : findNetwork(network);
}

/** Loads a recipe. Throws ConfigError if the name is unknown or the file does not contain one. */
export async function loadRecipe(recipe: string | Recipe): Promise<Recipe> {
  if (typeof recipe !== "string") return parseRecipe(recipe, "recipe");
  return isFile(recipe) ? parseRecipe(await readJson(recipe), recipe) : findRecipe(recipe);
}

/** Value of a setting: a file of the working directory by its absolute path, any other value unchanged. */
export function locatedFile(row: Setting | undefined, value: unknown): unknown {
  return row?.isPath && typeof value === "string" && existsSync(value) ? resolve(value) : value;
}

/** Image sizes that `alexnet-small` is for. */
const small = { least: 28, most: 64 } as const;

/**
 * Network of a run whose settings and recipe name none: for grey images the network of the Fashion-MNIST build, for colour torchvision's AlexNet. At
 * the images' own size, given as `size`, `alexnet-small` for 28 to 64 pixels.
 */
export function defaultNetwork({ channels }: DatasetSource, size?: PixelSize): string {
  if (size) {
    const isSmall = [size.width, size.height].every((side) => side >= small.least && side <= small.most);
    return isSmall ? "alexnet-small" : "alexnet-owt";
  }
  return channels === 1 ? "alexnet-fashion" : "alexnet-owt";
}

function isFile(name: string): boolean {
  return name.endsWith(".json");
}

/** Reads JSON. Throws ConfigError if the file is unreadable or not JSON. */
export async function readJson(path: string): Promise<unknown> {
  try {
    return parseJsonText(await readFile(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`${path}: expected a JSON file: ${messageOf(cause)}`, { cause });
  }
}
