/**
 * Protocol between the benchmark and a worker, a process that computes one workload: lines of JSON in both directions. The TypeScript workers
 * share this file; torch_worker.py speaks the same.
 */
import { createInterface } from "node:readline";
import type { InferencePrecision } from "../../src/engine/engine.ts";

export type Mode = "train" | "infer";

/** A worker's last argument. The folder contains a workload as `writeWorkload` leaves it. */
export interface WorkerRequest {
  readonly folder: string;
  readonly mode: Mode;
  readonly precision: InferencePrecision;
  readonly batchSize: number;
  readonly threads: number;
}

/** `run` is answered by `Timing`, `check` by `Checked`. */
export type Command = { readonly command: "run"; readonly steps: number } | { readonly command: "check" };

/** Seconds of each of a number of steps, and the processor time that all threads of the worker spent on them together. */
export interface Timing {
  readonly seconds: readonly number[];
  readonly cpuSeconds: number;
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

/** The worker's argument before the request: its own settings. */
export function workerSetting(): string {
  return process.argv.at(-2) ?? "";
}

/** Command handlers of a TypeScript worker. */
export interface Computation {
  /** Library and version. */
  readonly description: string;
  step(): Promise<void>;
  check(): Promise<Checked>;
}

/** Runs a worker until its input ends. */
export async function serve(make: (request: WorkerRequest) => Promise<Computation>): Promise<void> {
  const request: WorkerRequest = JSON.parse(process.argv.at(-1) ?? "");
  const computation = await make(request);
  await computation.step();
  answer({ ready: computation.description });
  for await (const line of createInterface({ input: process.stdin })) {
    const command: Command = JSON.parse(line);
    if (command.command === "check") answer({ checked: await computation.check() });
    else answer(await time(computation, command.steps));
  }
}

async function time(computation: Computation, steps: number): Promise<Timing> {
  const seconds: number[] = [];
  const cpuBefore = process.cpuUsage();
  for (let i = 0; i < steps; i++) {
    const before = performance.now();
    await computation.step();
    seconds.push((performance.now() - before) / 1000);
  }
  const { user, system } = process.cpuUsage(cpuBefore);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

function answer(line: Answer): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
