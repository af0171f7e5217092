/** File config.json: the complete configuration of a run. */
import * as z from "zod";
import { readConfig } from "../checkpoint/runDirectory.ts";
import type { ImageLimit } from "../dataset/limit.ts";
import { at, type Members, replaced, type SettingTable } from "./setting.ts";
import { type LoadSettings, settings } from "./settings.ts";
import { storedDatasetSchema, storedRunSchema } from "./storedRun.ts";

/** Keys of the loading options among settings. */
export function loadKeys(table: SettingTable): readonly string[] {
  return Object.entries(table).flatMap(([key, { place }]) => (place === `dataset.${key}` ? [key] : []));
}

/** Schema of config.json with the loading options of a table. */
export function runConfigSchemaOf(table: SettingTable) {
  const shape = loadKeys(table).map((key) => {
    const { stored, schema } = table[key] as SettingTable[string];
    return [key, z.exactOptional(stored ?? schema)] as const;
  });
  const options = Object.fromEntries(shape);
  // The types of the options come from the project's own table.
  const { name, channels, source, ...counts } = storedDatasetSchema.shape;
  const dataset = z.object({ name, channels, source, ...options, ...counts }) as unknown as z.ZodType<
    z.infer<typeof storedDatasetSchema> & LoadSettings
  >;
  return z.object({ ...storedRunSchema.shape, dataset });
}

/** Schema of config.json: all settings that a run started with. */
export const runConfigSchema = runConfigSchemaOf(settings);

/** Plain JSON. */
export type RunConfig = z.infer<typeof runConfigSchema>;

/** Configuration of a run directory; undefined if it contains no run. */
export function readRunConfig(directory: string): Promise<RunConfig | undefined> {
  return readConfig(directory, runConfigSchema);
}

/** Limits of a run's data set, which determine the images that the run started with. */
export function storedLimits({ trainLimit, testLimit, trainImagesPerClass }: RunConfig["dataset"]): {
  readonly trainLimit: ImageLimit | undefined;
  readonly testLimit: ImageLimit | undefined;
} {
  const limitOf = (n: number | undefined) => (n === undefined || trainImagesPerClass ? n : { inOrder: n });
  return { trainLimit: limitOf(trainLimit), testLimit: limitOf(testLimit) };
}

/** A section of the configuration, such as `divergence`, with the given settings applied. */
export function withGiven(part: string, stored: Members, given: Members, table: SettingTable = settings): Members {
  return Object.entries(table).reduce((made, [key, { place }]) => {
    const isThere = given[key] !== undefined && place.startsWith(`${part}.`);
    return isThere ? replaced(made, place.slice(part.length + 1), given[key]) : made;
  }, stored);
}

/** Loading options among settings, or in config.json. */
export function loadingOf(given: Members, table: SettingTable = settings): LoadSettings {
  const entries = loadKeys(table).map((key) => [key, given[key]]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** Report rows of the settings in a section of config.json that have a value there. */
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
