/** The engines by name, with the facts that settings and estimates need of each before it is created. */
import { ConfigError } from "../../errors.ts";

interface EngineFacts {
  /** True if `--threads` sets the number of its threads. */
  readonly takesThreads: boolean;
  /** Speed where a run may take too long: multiply-accumulates per second. Absent for engines at native speed. */
  readonly macsPerSecond?: number;
}

/** Facts about each engine that can be created. */
const engines = {
  onednn: { takesThreads: true },
  // conv2 of `alexnet-fashion`, 448 M MACs, took 0.74 s forward and 1.5 s backward on a server of 2025.
  reference: { takesThreads: false, macsPerSecond: 6e8 },
} as const satisfies Readonly<Record<string, EngineFacts>>;

/** Name of an engine that can be created. */
type CreatedEngineName = keyof typeof engines;

/** Values of `--engine`. `auto` is oneDNN if it is installed, otherwise the reference engine. */
export type EngineName = "auto" | CreatedEngineName;
export const engineNames: readonly [EngineName, ...EngineName[]] = [
  "auto",
  ...(Object.keys(engines) as CreatedEngineName[]),
];

/** The engine that a run was stored with. Throws ConfigError for an engine that this version does not have. */
export function storedEngine(name: string): CreatedEngineName {
  if (Object.hasOwn(engines, name)) return name as CreatedEngineName;
  throw new ConfigError(`engine "${name}": unknown; expected one of ${Object.keys(engines).join(", ")}`);
}

/** Facts of the engine `name`; undefined for an engine that is not listed, such as one of a test. */
export function engineFacts(name: string): EngineFacts | undefined {
  return Object.hasOwn(engines, name) ? engines[name as CreatedEngineName] : undefined;
}
