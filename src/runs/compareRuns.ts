/** Comparison of several runs: their figures and settings. */
import { createHash } from "node:crypto";
import { UsageError } from "../errors.ts";
import type { Network } from "../network/network.ts";
import { summarize } from "../network/summary.ts";
import type { SeedGroup } from "../report/tables/comparedSections.ts";
import type { ComparedRun, Comparison, SettingRow } from "../report/tables/comparison.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import { spreadOf } from "../training/evaluation/spread.ts";
import type { Recipe } from "../training/recipe.ts";
import { pairRuns } from "./pairedRuns.ts";
import { figuresOf, readRun } from "./runState.ts";

/** Letters that name runs in tables and charts. */
const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * Reads runs and compares them.
 *
 * Throws ConfigError if there are fewer than two or more than 26, CheckpointError if one of them cannot be read.
 */
export async function compareRuns(directories: readonly string[]): Promise<Comparison> {
  if (directories.length < 2 || directories.length > letters.length) {
    throw new UsageError(`compare: expected 2 to ${letters.length} runs, got ${directories.length}`);
  }
  const stored = await Promise.all(directories.map(readRun));
  const runs = stored.map((run, i): ComparedRun => {
    const { parameters, macs } = summarize(run.config.network).totals;
    return { letter: letters[i] as string, ...figuresOf(run), parameters, macs, log: run.log };
  });
  const settings = settingRows(stored.map(({ config }) => config));
  return { runs, settings, paired: await pairRuns(stored, [...letters]), seeds: seedGroups(runs, settings) };
}

/** Setting that distinguishes repetitions of a run. */
const SEED = "recipe.seed";

/** Groups of two or more runs with equal settings, except for the seed and the machine. */
export function seedGroups(runs: readonly ComparedRun[], settings: readonly SettingRow[]): readonly SeedGroup[] {
  const compared = settings.filter(({ name }) => name !== SEED && !name.startsWith("machine."));
  const seedOf = (run: number) => settings.find(({ name }) => name === SEED)?.values[run] ?? "–";
  const groups = new Map<string, number[]>();
  for (const run of runs.keys()) {
    const key = JSON.stringify(compared.map(({ values }) => values[run]));
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].flatMap((members) => {
    const seeds = members.map(seedOf);
    if (new Set(seeds).size < 2) return [];
    const own = members.map((run) => runs[run] as ComparedRun);
    return [{ letters: own.map(({ letter }) => letter), seeds, ...spreads(own) }];
  });
}

/** Mean and deviation of each figure that every run has. */
function spreads(runs: readonly ComparedRun[]): Pick<SeedGroup, "bestAccuracy" | "bestLoss" | "lastAccuracy"> {
  const figures = (["bestAccuracy", "bestLoss", "lastAccuracy"] as const).flatMap((key) => {
    const values = runs.flatMap((run) => run[key] ?? []);
    return values.length < runs.length ? [] : [[key, spreadOf(values)] as const];
  });
  return Object.fromEntries(figures);
}

/** All settings of all runs, in the order of the files. */
export function settingRows(configs: readonly RunConfig[]): readonly SettingRow[] {
  const flat = configs.map((config) => new Map(flatten("", withoutOccasion(config))));
  const names = new Set(flat.flatMap((settings) => [...settings.keys()]));
  return [...names].map((name) => ({ name, values: flat.map((settings) => settings.get(name) ?? "–") }));
}

/** Removes what differs between runs regardless of their settings (start time, command line) and prose. */
function withoutOccasion({ command: _command, started: _started, network, recipe, ...settings }: RunConfig): unknown {
  return { ...settings, network: withoutProse(network), recipe: withoutProse(recipe) };
}

function withoutProse({ source: _source, deviations: _deviations, ...settings }: Network | Recipe): unknown {
  return settings;
}

/**
 * Flattens to names such as `network.conv1.stride` with values as text. Lists of named items use their names; other lists are one value.
 */
function flatten(name: string, value: unknown): readonly (readonly [name: string, value: string])[] {
  const within = (key: string) => (name === "" ? key : `${name}.${key}`);
  if (value === undefined) return [];
  if (Array.isArray(value)) {
    // Layers are compared by name.
    if (name === "network.layers") {
      const layers: readonly { readonly name: string }[] = value;
      return [
        [name, shortened(layers.map((layer) => layer.name).join(", "))],
        ...layers.flatMap((layer) => flatten(`network.${layer.name}`, withoutName(layer))),
      ];
    }
    return [[name, shortened(value.map(textOf).join(", "))]];
  }
  if (typeof value !== "object" || value === null) return [[name, shortened(textOf(value))]];
  return Object.entries(value).flatMap(([key, part]) => flatten(within(key), part));
}

function withoutName({ name: _name, ...layer }: { readonly name: string }): unknown {
  return layer;
}

/** Values up to this length are shown in full; longer ones, such as a mean image or a thousand class names, are shortened. */
const LONGEST = 300;

/** Shortens a long value to its beginning and a digest, so that different values stay distinguishable. */
function shortened(text: string): string {
  if (text.length <= LONGEST) return text;
  const digest = createHash("sha256").update(text).digest("hex").slice(0, 8);
  return `${text.slice(0, 60)}… (${text.length} characters, SHA-256 ${digest}…)`;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
