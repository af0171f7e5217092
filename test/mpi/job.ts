/** Jobs of several processes that tests start. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { findLauncher } from "../../src/cli/launch.ts";
import type { Outcome } from "../command.ts";

/** Environment of jobs: tests run as root in containers, and several files share the cores. */
export const jobEnvironment = {
  OMPI_ALLOW_RUN_AS_ROOT: "1",
  OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
  OMP_WAIT_POLICY: "passive",
  // A test that hangs fails within its time.
  ALEXNET_MPI_TIMEOUT: "60",
};

const isHere = findLauncher()?.name === "Open MPI";

/** A test that needs the `mpirun` of Open MPI: without it, it is skipped, or fails where CI is set. */
export function mpiTest(name: string, options: { readonly timeout: number }, body: () => Promise<void>): void {
  const skip = !isHere && !process.env["CI"] ? "requires Open MPI; install it with: npm run setup -- --mpi" : false;
  test(name, { ...options, skip }, body);
}

/** A job of `mpirun`. */
export interface RunningJob {
  readonly pid: number;
  readonly outcome: Promise<Outcome>;
  /** Output to standard error so far. */
  stderr(): string;
  kill(signal: NodeJS.Signals): void;
}

const jobs = new Set<() => void>();
process.once("exit", () => {
  for (const end of jobs) end();
});

/** Starts a program with arguments and an environment; what it started ends with this process. */
export function startJob(
  command: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): RunningJob {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...jobEnvironment, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = () => void child.kill("SIGKILL");
  jobs.add(end);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
    });
  }
  const outcome = once(child, "close").then(([code, signal]): Outcome => {
    jobs.delete(end);
    return { exit: signal ?? code, ...texts };
  });
  return { pid: child.pid ?? 0, outcome, stderr: () => texts.stderr, kill: (signal) => void child.kill(signal) };
}

/** Arguments of `mpirun` for processes that share the cores of this machine, however many there are. */
export function mpirun(processes: number, program: readonly string[]): readonly string[] {
  return ["--oversubscribe", "--bind-to", "none", "-n", String(processes), process.execPath, ...program];
}
