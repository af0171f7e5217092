/** Membership of this process in an MPI job. */
import { alone, type Communicator } from "../engine/communicator.ts";
import { UsageError } from "../errors.ts";
import { startMpi } from "./mpi/mpiCommunicator.ts";

/** Variables by which launchers tell a process that it is one of several: Open MPI, MPICH's Hydra, and PMIx. */
const jobVariables = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"] as const;

/** The environment variable with the seconds of silence after which a process counts as stopped. */
const TIMEOUT_VARIABLE = "ALEXNET_MPI_TIMEOUT";
const DEFAULT_TIMEOUT = 120;

/** True if a launcher of MPI started this process. */
export function isInJob(env: NodeJS.ProcessEnv): boolean {
  return jobVariables.some((name) => env[name] !== undefined);
}

/** Joins the job of this process; a process without one is alone. Throws UsageError for processes that were started without MPI. */
export async function joinJob(env: NodeJS.ProcessEnv): Promise<Communicator> {
  const timeout = timeoutOf(env);
  const tasks = Number(env["SLURM_STEP_NUM_TASKS"] ?? 1);
  if (!isInJob(env) && !(tasks > 1)) return alone;
  const communicator = await startMpi(timeout);
  if (tasks > 1 && communicator.size === 1) {
    communicator.abandon();
    throw new UsageError(
      `srun: started ${tasks} processes that are not connected by MPI (expected ${tasks}, got 1); use srun --mpi=pmix, or mpirun`,
    );
  }
  return communicator;
}

function timeoutOf(env: NodeJS.ProcessEnv): number {
  const text = env[TIMEOUT_VARIABLE];
  if (text === undefined) return DEFAULT_TIMEOUT;
  const seconds = Number(text);
  if (seconds >= 1) return seconds;
  throw new UsageError(
    `${TIMEOUT_VARIABLE}: expected a number of seconds, at least 1, got ${text}; correct or unset it`,
  );
}
