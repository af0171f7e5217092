/** A process of a job of several. */
import { joinJob } from "../communication/join.ts";
import type { Communicator } from "../engine/communicator.ts";
import { AlexNetError, PeerError, UsageError } from "../errors.ts";
import { LAUNCHED_VARIABLE } from "./launch.ts";

/** Throws UsageError for `--processes` in a job, unless `launch` has started the job for that number. */
export function requireLaunched(processes: number | undefined): void {
  if (processes === undefined || String(processes) === process.env[LAUNCHED_VARIABLE]) return;
  throw new UsageError(
    "--processes: this process belongs to a job that mpirun or srun has started; remove --processes, or start the command without them",
  );
}

/**
 * Joins the job of this process and runs work with its communicator, which is `alone` without a job. An error ends the job; one that another process
 * reports sets the exit code only.
 */
export async function runInJob(work: (communicator: Communicator) => Promise<void>): Promise<void> {
  const communicator = await joinJob(process.env);
  try {
    await work(communicator);
    // Without this farewell, the launcher would end the other processes.
    await communicator.close();
  } catch (error) {
    communicator.abandon();
    if (!(error instanceof PeerError)) throw inProcess(communicator, error);
    process.exitCode = error.exitCode;
  }
}

/** An error of one of several processes, with its number. */
function inProcess({ rank, size }: Communicator, error: unknown): unknown {
  if (size > 1 && rank > 0 && error instanceof AlexNetError)
    return new PeerError(`process ${rank}: ${error.message}`, error.exitCode);
  return error;
}
