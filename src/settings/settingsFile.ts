/** Settings from a file: `train --config FILE.json`. */

import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { ConfigError, UsageError } from "../errors.ts";
import { problemsOf } from "../schema.ts";
import { changesOf } from "./changes.ts";
import { readSameWeights } from "./initFrom.ts";
import { readJson } from "./load.ts";
import { type RunConfig, runConfigSchemaOf } from "./runConfig.ts";
import { at, flagOf, type Members, overridden, type SettingTable, settingsSchema } from "./setting.ts";
import { type RunSettings, settings } from "./settings.ts";

/** Settings from a file. */
export interface FileSettings {
  readonly settings: RunSettings;
  /** Data set of the run whose configuration the file is, unless a flag selects other images. */
  readonly repeats: RunConfig["dataset"] | undefined;
  /** Messages about flags that override the file. */
  readonly messages: readonly string[];
}

/**
 * Reads settings from a JSON file: settings by name, or a run's config.json, to start the same run again. Flags override the file. Records in a
 * config.json (machine, versions, command, image counts) are ignored.
 *
 * Throws UsageError for an unknown key or an invalid value, and ConfigError if the file is unreadable. Throws CheckpointError if the weights that the
 * run started from have changed.
 */
export async function readSettingsFile(
  path: string,
  flags: RunSettings,
  table: SettingTable = settings,
): Promise<FileSettings> {
  const json = await readJson(path);
  return typeof at(json, "dataset") === "object"
    ? ofConfig(path, json, flags, table)
    : ofSettings(path, json, flags, table);
}

function ofSettings(path: string, json: unknown, flags: Members, table: SettingTable): FileSettings {
  const given = parsed(path, json, settingsSchema(table)) as Members;
  const won = Object.entries(table).filter(
    ([key]) => flags[key] !== undefined && given[key] !== undefined && !isDeepStrictEqual(flags[key], given[key]),
  );
  const messages = won.map(([key, row]) => overriding(path, flagOf(key, row), textOf(flags[key]), textOf(given[key])));
  return { settings: overridden(given, flags, table), repeats: undefined, messages };
}

async function ofConfig(path: string, json: unknown, flags: RunSettings, table: SettingTable): Promise<FileSettings> {
  const config = parsed(path, json, runConfigSchemaOf(table));
  const unknown = unknownKeys(json, config);
  if (unknown.length > 0) throw new UsageError(`${path}: unknown ${unknown.join(", ")}; correct or remove it`);
  const stored = Object.entries(table).flatMap(([key, row]) => {
    // Recipe values are in the recipe.
    const value = row.read ? row.read(config) : row.place.startsWith("recipe.") ? undefined : at(config, row.place);
    return value === undefined ? [] : [[key, value] as const];
  });
  const given: RunSettings = {
    ...Object.fromEntries(stored),
    ...(flags.from === undefined ? await scaleOf(config) : {}),
  };
  const changes = await changesOf(flags, config, table);
  const isOther = Object.keys(table).some(
    (key) => table[key]?.place.startsWith("dataset.") && (flags as Members)[key] !== undefined,
  );
  return {
    settings: { ...given, ...flags },
    repeats: isOther || flags.seed !== undefined ? undefined : config.dataset,
    messages: changes.map((change) => overriding(path, change.flag, change.given, change.stored)),
  };
}

/** Normalization of a run; empty if it follows from the initial weights. */
async function scaleOf({ fineTuning, recipe, preprocessing }: RunConfig): Promise<Pick<RunSettings, "normalization">> {
  if (!fineTuning) return {};
  const { mean, deviation, meanImage } = (await readSameWeights(fineTuning)).model.preprocessing;
  const isOwn = isDeepStrictEqual(
    [mean, deviation, meanImage],
    [preprocessing.mean, preprocessing.deviation, preprocessing.meanImage],
  );
  return isOwn ? {} : { normalization: recipe.normalization };
}

function overriding(path: string, flag: string, given: string, stored: string): string {
  return `${flag} ${given} overrides ${stored} from ${path}`;
}

function textOf(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function parsed<T>(path: string, json: unknown, schema: z.ZodType<T>): T {
  try {
    return schema.parse(json);
  } catch (cause) {
    if (cause instanceof z.ZodError) throw new UsageError(`${path}: ${problemsOf(cause)}`, { cause });
    if (cause instanceof ConfigError) throw new UsageError(`${path}: ${cause.message}`, { cause });
    throw cause;
  }
}

/** Keys of JSON that a schema drops, such as `dataset.colour`. */
function unknownKeys(json: unknown, known: unknown): readonly string[] {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return [];
  const members = known as Members;
  return Object.entries(json).flatMap(([key, value]) =>
    key in members ? unknownKeys(value, members[key]).map((inner) => `${key}.${inner}`) : [key],
  );
}
