/** Parts of `alexnet train` for several processes. */
import type { Communicator } from "../engine/communicator.ts";
import { AlexNetError, PeerError, UsageError } from "../errors.ts";
import type { RunPlan } from "../settings/resolve.ts";
import { LAUNCHED_VARIABLE } from "./launch.ts";

/** Exit code of a process that stops because another one was asked to, by the signal that launchers pass on. */
export const STOPPED_BY_PEER = 128 + 12;

/** Throws UsageError for `--processes` in a job, unless `launch` has started the job for that number. */
export function requireLaunched(processes: number | undefined): void {
  if (processes === undefined || String(processes) === process.env[LAUNCHED_VARIABLE]) return;
  throw new UsageError(
    "--processes: this process belongs to a job that mpirun or srun has started; remove --processes, or start the command without them",
  );
}

/** An error of one of several processes, with its number. */
export function inProcess({ rank, size }: Communicator, error: unknown): unknown {
  if (size > 1 && rank > 0 && error instanceof AlexNetError)
    return new PeerError(`process ${rank}: ${error.message}`, error.exitCode);
  return error;
}

/** Plans the run on every process. A new run's directory is that of process 0. */
export async function planTogether(communicator: Communicator, make: () => Promise<RunPlan>): Promise<RunPlan> {
  const { together } = await import("../trainer/processes.ts");
  const plan = await together(communicator, make);
  const [directory = plan.directory] = await communicator.agree(plan.directory);
  return { ...plan, directory };
}
