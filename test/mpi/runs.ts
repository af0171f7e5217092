/** Runs of several processes in a folder of their own, and the processes of a job. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Outcome } from "../command.ts";
import { timelessLog } from "../tinyRuns.ts";
import type { RunningJob } from "./job.ts";

/** Arguments of `alexnet`, started in the folder of a tiny run, to train it. Flags of `more` override the others. */
export function trainFlags(folder: string, run: string, ...more: readonly string[]): readonly string[] {
  return [
    ...["train", "--data-dir", folder, "--network", "tiny.json", "--precision", "f32", "--threads", "1"],
    ...["--batch-size", "16", "--run", run, ...more],
  ];
}

/** The outcome of a job. Throws AssertionError with its messages if it fails. */
export async function succeeds({ outcome }: Pick<RunningJob, "outcome">): Promise<Outcome> {
  const done = await outcome;
  assert.equal(done.exit, 0, done.stderr);
  return done;
}

/**
 * Throws AssertionError unless two runs of a folder have the same losses, up to the rounding of sums in another order over at most 26 steps. Their seeds
 * must be without near ties of maximum pooling.
 */
export async function assertSameLog(folder: string, run: string, expected: string): Promise<void> {
  const [ours, theirs] = [await timelessLog(join(folder, run)), await timelessLog(join(folder, expected))];
  assert.equal(ours.length, theirs.length);
  for (const [i, entry] of theirs.entries()) {
    for (const key of ["trainLoss", "testLoss"] as const) {
      const [a, b] = [ours[i]?.[key] ?? 0, entry[key] ?? 0];
      assert.ok(Math.abs(a - b) < 1e-4, `${run}: ${key} of line ${i}: ${a}, expected ${b}`);
    }
  }
}

/** Waits until the job has printed a text. Throws Error if it ends before. */
export async function printed(job: RunningJob, text: string): Promise<void> {
  let isOver = false;
  void job.outcome.then(() => {
    isOver = true;
  });
  while (!job.stderr().includes(text)) {
    if (isOver) throw new Error(`expected ${text}, got\n${job.stderr()}`);
    await setTimeout(20);
  }
}

/** Processes of Node.js that descend from a process, by their number in the job. */
export function ranksOf(job: RunningJob): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const pid of descendants(job.pid)) {
    const text = read(`/proc/${pid}/environ`)
      .split("\0")
      .find((line) => line.startsWith("OMPI_COMM_WORLD_RANK="));
    if (text !== undefined) found.set(Number(text.split("=")[1]), pid);
  }
  return found;
}

/** Running processes with a value in their environment, such as the folder of a job. */
export function processesWith(value: string): readonly number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return all.map(Number).filter((pid) => read(`/proc/${pid}/environ`).includes(value) && isAlive(pid));
}

/** True while a process exists that is no zombie. */
function isAlive(pid: number): boolean {
  const state = /^State:\s+(\w)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return state !== undefined && state !== "Z";
}

/** Seconds from `since` until no process of a job is left, and those that are left after ten seconds. */
export async function gone(ranks: ReadonlyMap<number, number>, since: number) {
  const left = () => [...ranks].flatMap(([rank, pid]) => (isAlive(pid) ? [rank] : []));
  const seconds = () => (performance.now() - since) / 1000;
  while (left().length > 0 && seconds() < 10) await setTimeout(10);
  return { seconds: seconds(), left: left() };
}

function descendants(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const parent = /^PPid:\s+(\d+)/m.exec(/^\d+$/.test(name) ? read(`/proc/${name}/status`) : "")?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === root || isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
