/** Engines by name, with the facts that settings and estimates need before an engine is created. */
import { ConfigError } from "../../errors.ts";

interface EngineFacts {
  /** True if `--threads` sets the engine's number of threads. */
  readonly takesThreads: boolean;
  /** Multiply-accumulates per second, for estimating long runs. Absent for engines that are made for speed. */
  readonly macsPerSecond?: number;
  /** Engines whose runs it may resume, if it is asked for: they differ by the rounding of sums only. */
  readonly resumes?: readonly string[];
  /** True if several processes can train with it. */
  readonly trainsTogether: boolean;
}

/** Facts about each engine that can be created. */
const engines = {
  onednn: { takesThreads: true, trainsTogether: true },
  wasm: { takesThreads: true, resumes: ["reference"], trainsTogether: false },
  webgpu: { takesThreads: false, trainsTogether: false },
  // conv2 of `alexnet-fashion`, 448 M MACs, took 0.74 s forward and 1.5 s backward on a server of 2025.
  reference: { takesThreads: false, macsPerSecond: 6e8, trainsTogether: true },
} as const satisfies Readonly<Record<string, EngineFacts>>;

/** Name of an engine that can be created. */
export type CreatedEngineName = keyof typeof engines;

/**
 * Values of `--engine`. `auto` is oneDNN if it is installed, otherwise a graphics adapter, otherwise the WebAssembly engine. A new run with both oneDNN and
 * a graphics adapter uses the faster one.
 */
export type EngineName = "auto" | CreatedEngineName;
export const engineNames: readonly [EngineName, ...EngineName[]] = [
  "auto",
  ...(Object.keys(engines) as CreatedEngineName[]),
];

/** Engine of a stored run. Throws ConfigError for an engine that this version lacks. */
export function storedEngine(name: string): CreatedEngineName {
  if (Object.hasOwn(engines, name)) return name as CreatedEngineName;
  throw new ConfigError(`engine "${name}": unknown; expected one of ${Object.keys(engines).join(", ")}`);
}

/** True if the engine `name` may resume a run of the engine `stored`, which another one began. */
export function mayResume(name: EngineName, stored: string): boolean {
  return engineFacts(name)?.resumes?.includes(stored) === true;
}

/** Facts of the engine `name`; undefined for an unlisted engine, such as one of a test. */
export function engineFacts(name: string): EngineFacts | undefined {
  return Object.hasOwn(engines, name) ? engines[name as CreatedEngineName] : undefined;
}
