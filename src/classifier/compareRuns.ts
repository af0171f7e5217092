/** In which settings runs differ. */
import type { Difference } from "../report/runTables.ts";
import type { RunOverview } from "./runOverview.ts";

/** What says when and from where, but not how, a run was trained. */
const beside = ["command", "started", "network.source", "network.deviations", "recipe.source", "recipe.deviations"];

const absent = "–";

/** Compares config.json of runs, setting by setting; lists count as one setting, but layers are compared by their names. */
export function compareSettings(runs: readonly RunOverview[]): {
  readonly differences: readonly Difference[];
  /** Settings in which they do not differ. */
  readonly same: number;
} {
  const settings = runs.map(({ config }) => new Map(flattened("", config)));
  const names = [...new Set(settings.flatMap((map) => [...map.keys()]))];
  const differences = names.flatMap((setting): Difference[] => {
    const byValue = new Map<string, string[]>();
    for (const [i, { name }] of runs.entries()) {
      const value = settings[i]?.get(setting) ?? absent;
      byValue.set(value, [...(byValue.get(value) ?? []), name]);
    }
    if (byValue.size === 1) return [];
    return [{ setting, values: [...byValue].map(([value, having]) => ({ value, runs: having })) }];
  });
  return { differences, same: names.length - differences.length };
}

function flattened(path: string, value: unknown): readonly (readonly [string, string])[] {
  if (beside.includes(path)) return [];
  const below = (key: string) => (path === "" ? key : `${path}.${key}`);
  if (path === "network.layers" && Array.isArray(value)) {
    const layers = value as readonly { readonly name: string }[];
    return [
      [path, layers.map(({ name }) => name).join(", ")],
      ...layers.flatMap(({ name, ...options }) => flattened(below(name), options)),
    ];
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [[path, textOf(value)]];
  return Object.entries(value).flatMap(([key, inner]) => (inner === undefined ? [] : flattened(below(key), inner)));
}

/** Values are shown whole up to this; longer ones, such as a mean image, by their beginning. */
const LONGEST = 120;

function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : Array.isArray(value) ? value.join(", ") : JSON.stringify(value);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}… (${text.length} characters)`;
}
