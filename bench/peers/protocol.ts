/**
 * How the benchmark talks to a worker: a process that computes one thing, told and answering in lines of JSON. The TypeScript workers
 * share this file; torch_worker.py speaks the same.
 */
import { createInterface } from "node:readline";
import type { Precision } from "../../src/engine/engine.ts";

export type Mode = "train" | "infer";

/** What a worker computes: its last argument. The folder holds a workload as `writeWorkload` leaves it. */
export interface WorkerRequest {
  readonly folder: string;
  readonly mode: Mode;
  readonly precision: Precision;
  readonly batchSize: number;
  readonly threads: number;
}

/** `run` is answered by an `Answer` with seconds; `check` by one with logits. */
export type Command = { readonly command: "run"; readonly steps: number } | { readonly command: "check" };

export type Answer =
  /** Once, after the first step. */
  | { readonly ready: string }
  /** Of each step. */
  | { readonly seconds: readonly number[] }
  /** Of the first images with the workload's own parameters, as at evaluation. */
  | { readonly logits: readonly number[] };

/** Images whose logits are compared. */
export const CHECKED_IMAGES = 2;

/** What a TypeScript worker does on a command. */
export interface Computation {
  /** What computes: library and version. */
  readonly description: string;
  step(): Promise<void>;
  /** The logits of the first `CHECKED_IMAGES` images, fewer if the batch is smaller. */
  check(): Promise<Iterable<number>>;
}

/** Runs a worker until its input ends. */
export async function serve(make: (request: WorkerRequest) => Promise<Computation>): Promise<void> {
  const request: WorkerRequest = JSON.parse(process.argv.at(-1) ?? "");
  const computation = await make(request);
  await computation.step();
  answer({ ready: computation.description });
  for await (const line of createInterface({ input: process.stdin })) {
    const command: Command = JSON.parse(line);
    if (command.command === "check") answer({ logits: [...(await computation.check())] });
    else answer({ seconds: await time(computation, command.steps) });
  }
}

async function time(computation: Computation, steps: number): Promise<readonly number[]> {
  const seconds: number[] = [];
  for (let i = 0; i < steps; i++) {
    const before = performance.now();
    await computation.step();
    seconds.push((performance.now() - before) / 1000);
  }
  return seconds;
}

function answer(line: Answer): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
