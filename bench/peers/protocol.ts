/**
 * Protocol between the benchmark and a worker, a process that computes one variant: commands and answers are lines of JSON. TypeScript workers use
 * this file; torch_worker.py implements the same.
 */
import { createInterface } from "node:readline";
import type { Precision } from "../../src/engine/engine.ts";

export type Mode = "train" | "infer";

/** Last argument of a worker. The folder contains a workload written by `writeWorkload`. */
export interface WorkerRequest {
  readonly folder: string;
  readonly mode: Mode;
  readonly precision: Precision;
  readonly batchSize: number;
  readonly threads: number;
}

/** `run` is answered by an `Answer` with seconds, `check` by one with logits. */
export type Command = { readonly command: "run"; readonly steps: number } | { readonly command: "check" };

export type Answer =
  /** Once, after the first step. */
  | { readonly ready: string }
  /** Seconds of each step. */
  | { readonly seconds: readonly number[] }
  /** Logits of the first images with the workload's parameters, as at evaluation. */
  | { readonly logits: readonly number[] };

/** Number of images whose logits are compared. */
export const CHECKED_IMAGES = 2;

/** Command handlers of a TypeScript worker. */
export interface Computation {
  /** Library and version. */
  readonly description: string;
  step(): Promise<void>;
  /** Logits of the first `CHECKED_IMAGES` images, or of fewer if the batch is smaller. */
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
