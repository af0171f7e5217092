/**
 * Protocol between the benchmark and what computes one workload: a worker process, by lines of JSON in both directions, or a page, by calls.
 * torch_worker.py speaks the same.
 */
import type { InferencePrecision } from "../../src/engine/engine.ts";

export type Mode = "train" | "infer";

/** A computation to create. */
export interface ComputeRequest {
  readonly mode: Mode;
  readonly precision: InferencePrecision;
  readonly batchSize: number;
  readonly threads: number;
}

/** A worker's last argument. The folder contains a workload as `writeWorkload` leaves it. */
export interface WorkerRequest extends ComputeRequest {
  readonly folder: string;
}

/** `run` is answered by `Timing`, `check` by `Checked`. */
export type Command = { readonly command: "run"; readonly steps: number } | { readonly command: "check" };

/** Seconds of each of a number of steps, and the processor time of all threads of the worker on them together, unless it is unknown. */
export interface Timing {
  readonly seconds: readonly number[];
  readonly cpuSeconds?: number;
}

/**
 * Numbers by name, computed from the workload's own parameters and images that no timed step has seen: `logits` of the first images, and after
 * training a sample of each parameter's gradient (`gradientSample`), and of the images' gradient as `images` where the workload has it.
 */
export type Checked = Readonly<Record<string, readonly number[]>>;

export type Answer =
  /** Once, after the first step. */
  { readonly ready: string } | Timing | { readonly checked: Checked };

/** Images whose results are compared. */
export const CHECKED_IMAGES = 2;
/** Gradients that are compared of each parameter, at equal distances. */
const SAMPLES = 64;

/** The sample of a gradient in row order that is compared, then its norm. torch_worker.py takes the same. */
export function gradientSample(gradient: Float32Array): readonly number[] {
  const step = Math.max(1, Math.floor(gradient.length / SAMPLES));
  const sample = Array.from(gradient.filter((_, i) => i % step === 0 && i / step < SAMPLES));
  return [...sample, Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0))];
}

/** Command handlers of a computation in TypeScript. */
export interface Computation {
  /** Library and version. */
  readonly description: string;
  /** Ends when its result is in memory of the processor: the loss in training, the logits in inference. */
  step(): Promise<void>;
  check(): Promise<Checked>;
}

/** Executes a command. */
export async function answer(computation: Computation, command: Command): Promise<Timing | { checked: Checked }> {
  if (command.command === "check") return { checked: await computation.check() };
  const seconds: number[] = [];
  for (let i = 0; i < command.steps; i++) {
    const before = performance.now();
    await computation.step();
    seconds.push((performance.now() - before) / 1000);
  }
  return { seconds };
}
