/** Config.json: the complete configuration of a run. */
import * as z from "zod";
import { readConfig } from "../checkpoint/runDirectory.ts";
import type { ImageLimit } from "../dataset/limit.ts";
import { at, type Members, replaced, type SettingTable } from "./setting.ts";
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
  const { name, channels, source, ...counts } = storedDatasetSchema.shape;
  const dataset = z.object({ name, channels, source, ...options, ...counts }) as unknown as z.ZodType<
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

/** The limits of a run's data set, which choose the images that the run was started with. */
export function storedLimits({ trainLimit, testLimit, trainImagesPerClass }: RunConfig["dataset"]): {
  readonly trainLimit: ImageLimit | undefined;
  readonly testLimit: ImageLimit | undefined;
} {
  const limitOf = (n: number | undefined) => (n === undefined || trainImagesPerClass ? n : { inOrder: n });
  return { trainLimit: limitOf(trainLimit), testLimit: limitOf(testLimit) };
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

/** Rows of the report for the settings in a part of config.json that it has values for. */
export function settingRows(
  config: RunConfig,
  part: "dataset" | "recipe",
  table: SettingTable = settings,
): readonly (readonly [name: string, value: string])[] {
  return Object.values(table).flatMap(({ place, report }) => {
    if (!place.startsWith(`${part}.`) || report === false) return [];
    const stored = at(config, place);
    const value = report ? report(config) : typeof stored === "object" ? JSON.stringify(stored) : stored;
    const name = place.slice(place.lastIndexOf(".") + 1).replaceAll(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`);
    return value === undefined ? [] : [[name, String(value)] as const];
  });
}
