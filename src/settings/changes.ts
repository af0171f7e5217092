/** Differences between given settings and those of a stored run. */
import { isDeepStrictEqual } from "node:util";
import { isMemoryName } from "../dataset/memorySource.ts";
import { findDataset } from "../dataset/sources/datasets.ts";
import { ConfigError } from "../errors.ts";
import { type Network, withClasses, withInput } from "../network/network.ts";
import { type Recipe, recipeSchema } from "../training/recipe.ts";
import { absoluteFrom, frozenLayers } from "./initFrom.ts";
import { loadNetwork, loadRecipe, locatedFile } from "./load.ts";
import { written } from "./overrides.ts";
import {
  at,
  type Compared,
  flagOf,
  listed,
  type Members,
  replaced,
  type Setting,
  type SettingTable,
  withoutAlternatives,
} from "./setting.ts";
import { type RunSettings, settings } from "./settings.ts";
import type { StoredRun } from "./storedRun.ts";

/** A given value that differs from the stored one, both as text. */
export interface Change {
  readonly flag: string;
  readonly given: string;
  readonly stored: string;
}

/** Settings whose values are names that must be resolved before they are compared. */
const lookups: {
  readonly [K in keyof RunSettings]?: (
    value: NonNullable<RunSettings[K]>,
    config: StoredRun,
    given: RunSettings,
    table: SettingTable,
  ) => Promise<Compared>;
} = {
  // A stored name means the stored data set, even if a folder has this name by now. The name of an object is found nowhere.
  dataset: async (name, { dataset }, { dataDir }) => [
    name === dataset.name || isMemoryName(name) ? name : (await findDataset(name, { dataDir })).name,
    dataset.name,
  ],
  network: async (network, config) => [await givenNetwork(network, config), config.network.name],
  recipe: async (recipe, config, given, table) => [await givenRecipe(recipe, config, given, table), config.recipe.name],
  from: async (path, { fineTuning }) => [absoluteFrom(path), fineTuning?.from],
  freeze: async (names, { network, fineTuning }) => [
    listed(frozenLayers(network, names)),
    listed(fineTuning?.frozen ?? []),
  ],
};

/** All given settings that differ from a stored configuration. */
export async function changesOf(
  given: RunSettings & Members,
  config: StoredRun,
  table: SettingTable = settings,
): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (const [key, row] of Object.entries(table)) {
    const value = given[key];
    const compared = value === undefined ? undefined : await compare(key, row, value, config, given, table);
    if (!compared || isDeepStrictEqual(compared[0], compared[1])) continue;
    changes.push({ flag: flagOf(key, row), given: textOf(compared[0]), stored: textOf(compared[1] ?? "none") });
  }
  return changes;
}

async function compare(
  key: string,
  row: Setting,
  value: unknown,
  config: StoredRun,
  given: RunSettings,
  table: SettingTable,
): Promise<Compared | undefined> {
  const lookup = lookups[key as keyof RunSettings] as
    | ((value: unknown, config: StoredRun, given: RunSettings, table: SettingTable) => Promise<Compared>)
    | undefined;
  if (lookup) return lookup(value, config, given, table);
  return row.compare ? row.compare(value, config) : [locatedFile(row, value), at(config, row.place) ?? row.default];
}

/** Throws ConfigError listing every given setting that differs from the run's, with both values. */
export async function refuseChanges(
  given: RunSettings & Members,
  config: StoredRun,
  table: SettingTable = settings,
): Promise<void> {
  const compared = Object.fromEntries(Object.entries(table).filter(([, { onResume }]) => onResume !== "replace"));
  const changes = await changesOf(given, config, compared);
  if (changes.length === 0) return;
  const lines = changes.map(({ flag, given, stored }) => `${flag} is ${given}, the run was started with ${stored}`);
  throw new ConfigError(`resume: ${lines.join("; ")}; leave these flags out, or start a new run`);
}

function textOf(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

async function givenNetwork(network: string | Network, { network: stored, dataset }: StoredRun): Promise<string> {
  const given = await loadNetwork(network);
  if (given.name !== stored.name) return given.name;
  return nameWithChanges(withClasses(withInput(given, stored.input), dataset.classNames.length), stored);
}

/**
 * Single values are compared by their own flags, since the configuration does not store which of them came from the recipe. Kinds of optimizer and
 * schedule have options of their own, so with a recipe they must be given again.
 */
async function givenRecipe(
  recipe: string | Recipe,
  { recipe: stored }: StoredRun,
  given: RunSettings & Members,
  table: SettingTable,
): Promise<string> {
  const base = await loadRecipe(recipe);
  if (base.name !== stored.name) return base.name;
  const rows = Object.entries(table).filter(([, { place }]) => place.startsWith("recipe."));
  const kinds = rows.filter(([, { isKind }]) => isKind).map(([key]) => [key, given[key]]);
  const singles = rows.filter(([, { isKind }]) => !isKind).map(([, { place }]) => place.slice("recipe.".length));
  const chosen = written(base, Object.fromEntries(kinds), table);
  const own = singles.filter((place) => at(stored, place) !== undefined && isSameKind(chosen, stored, place));
  const leveled = singles.reduce<Members>(
    (made, place) => (isSameKind(made, stored, place) ? replaced(made, place, at(stored, place)) : made),
    withoutAlternatives(chosen, own),
  );
  // A given kind may lack options that exist only for the stored kind.
  return nameWithChanges(recipeSchema.safeParse(leveled).data ?? (leveled as Recipe), stored);
}

/** True if a path such as `optimizer.momentum` belongs to the same kind in both. */
function isSameKind(a: unknown, b: unknown, place: string): boolean {
  const [part = "", ...rest] = place.split(".");
  return rest.length === 0 || at(a, `${part}.kind`) === at(b, `${part}.kind`);
}

/** Name of the given one, with the members that differ if the names are equal. */
function nameWithChanges<T extends { readonly name: string }>(given: T, stored: T): string {
  const keys = new Set([...Object.keys(given), ...Object.keys(stored)]) as Set<string & keyof T>;
  const changed = [...keys].filter((key) => !isDeepStrictEqual(given[key], stored[key]));
  return changed.length === 0 || given.name !== stored.name
    ? given.name
    : `${given.name} with other ${changed.join(", ")}`;
}
