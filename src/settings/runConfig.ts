/** Config.json: the complete configuration of a run. */
import { z } from "zod";
import { readConfig } from "../checkpoint/runDirectory.ts";
import { type Members, replaced, type SettingTable } from "./setting.ts";
import { type LoadSettings, settings } from "./settings.ts";
import { storedDatasetSchema, storedRunSchema } from "./storedRun.ts";

/** Keys of the settings that are options of loading. */
export function loadKeys(table: SettingTable): readonly string[] {
  return Object.entries(table).flatMap(([key, { place }]) => (place === `dataset.${key}` ? [key] : []));
}

/** The schema of config.json with the options of loading that a table has. */
export function runConfigSchemaOf(table: SettingTable) {
  const shape = loadKeys(table).map((key) => {
    const { stored, schema } = table[key] as SettingTable[string];
    return [key, z.exactOptional(stored ?? schema)] as const;
  });
  const options = Object.fromEntries(shape);
  // The types of the options are those of the project's own table.
  const dataset = z.object({ ...storedDatasetSchema.shape, ...options }) as unknown as z.ZodType<
    z.infer<typeof storedDatasetSchema> & LoadSettings
  >;
  return z.object({ ...storedRunSchema.shape, dataset });
}

/** Everything that a run was started with: config.json of its directory. */
export const runConfigSchema = runConfigSchemaOf(settings);

/** Plain JSON. */
export type RunConfig = z.infer<typeof runConfigSchema>;

/** The configuration of a run directory, undefined if it contains no run. */
export function readRunConfig(directory: string): Promise<RunConfig | undefined> {
  return readConfig(directory, runConfigSchema);
}

/** A part of the configuration, such as `divergence`, with the given settings that are stored in it. */
export function withGiven(part: string, stored: Members, given: Members, table: SettingTable = settings): Members {
  return Object.entries(table).reduce((made, [key, { place }]) => {
    const isThere = given[key] !== undefined && place.startsWith(`${part}.`);
    return isThere ? replaced(made, place.slice(part.length + 1), given[key]) : made;
  }, stored);
}

/** The options of loading among settings, or in config.json. */
export function loadingOf(given: Members, table: SettingTable = settings): LoadSettings {
  const entries = loadKeys(table).map((key) => [key, given[key]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}
