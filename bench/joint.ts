/** Jobs of the benches of several processes: start, result, and lines of goals. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { launchArguments } from "../src/cli/launch.ts";
import type { MeasuredSteps, MeasuredSums, StepsToMeasure, SumsToMeasure } from "./jointWorker.ts";

const worker = fileURLToPath(new URL("jointWorker.ts", import.meta.url));
/** Command of a worker, without its task. */
export const workerCommand: readonly string[] = [process.execPath, ...process.execArgv, worker];
/** Benches run in containers, as root. */
export const benchEnvironment = {
  ...process.env,
  OMPI_ALLOW_RUN_AS_ROOT: "1",
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
};

/** Runs a program to its end and returns the JSON of its last line. Throws Error with its messages if it fails. */
export function resultOf<T>(command: readonly string[], env: NodeJS.ProcessEnv = benchEnvironment): T {
  const [program = "", ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", env, maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${command.join(" ")}: exit ${status}\n${error?.message ?? ""}${stdout}${stderr}`);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}

/** Measures steps in processes of this machine. */
export function measureSteps(processes: number, task: StepsToMeasure): MeasuredSteps {
  return resultOf([...started(processes, task.threads), JSON.stringify(task)]);
}

/** Measures sums in processes of this machine, of one core each. */
export function measureSums(processes: number, task: SumsToMeasure): MeasuredSums {
  return resultOf([...started(processes, 1), JSON.stringify(task)]);
}

function started(processes: number, threads: number): readonly string[] {
  if (processes === 1) return workerCommand;
  Object.assign(process.env, benchEnvironment);
  return ["mpirun", ...launchArguments({ processes, threads }), ...workerCommand];
}

/** A figure that is to reach a bound. */
export interface Goal {
  readonly name: string;
  readonly value: number;
  readonly bound: number;
  readonly isLowest?: true;
  readonly format: (value: number) => string;
}

/** `ok     S2 …: 27 ms (at most 40 ms)`. */
export function formatGoal({ name, value, bound, isLowest, format }: Goal): string {
  const isReached = isLowest ? value >= bound : value <= bound;
  return `${isReached ? "ok    " : "MISSED"} ${name}: ${format(value)} (${isLowest ? "at least" : "at most"} ${format(bound)})`;
}
