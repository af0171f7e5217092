/** Starts a command in several processes, by Open MPI's launcher. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { SILENT_EXIT } from "../communication/mpi/control.ts";
import { installMpi } from "../communication/mpi/library.ts";
import { processorShare } from "../engine/onednn/threads.ts";
import { UsageError } from "../errors.ts";
import { type Host, hostArguments, requireReachable } from "./hosts.ts";
import { printError } from "./output.ts";
import { JOB_SIGNAL, onStopSignals, STOPPED_IN_JOB, STOPPING } from "./signals.ts";

/** The environment variable that tells a process the number of processes that `launch` has started. */
export const LAUNCHED_VARIABLE = "ALEXNET_PROCESSES";

/** A launcher on this machine. */
export interface Launcher {
  readonly name: string;
  readonly version: string;
}

/** Finds `mpirun` on the PATH; undefined if there is none. */
export function findLauncher(): Launcher | undefined {
  const { stdout, error } = spawnSync("mpirun", ["--version"], { encoding: "utf8" });
  if (error) return undefined;
  const version = /\(Open MPI\) (\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  return version === undefined ? { name: "another MPI", version: "" } : { name: "Open MPI", version };
}

/** Processes to start. */
export interface LaunchOptions {
  readonly processes: number;
  /** Compute threads of each. Default: an equal part of the cores. */
  readonly threads?: number | undefined;
  /** Hosts of the processes. Default: this machine. */
  readonly hosts?: readonly Host[] | undefined;
  /** Number of times that a job is resumed in which a process was killed, crashed or stopped. */
  readonly maxRestarts: number;
  /** Arguments that resume the run. */
  readonly resuming: readonly string[];
}

/** Arguments of `mpirun` before the command. Throws UsageError for what would fail on this machine. */
export function launchArguments({
  processes,
  threads,
  hosts,
}: Pick<LaunchOptions, "processes" | "threads" | "hosts">): readonly string[] {
  const isOld = Number(requireLauncher(processes).version.split(".")[0]) < 5;
  const quiet = isOld ? ["--quiet"] : [];
  if (hosts) {
    refuseRoot();
    return [...quiet, ...hostArguments(hosts), ...exported(), ...coresOnHosts(hosts, threads)];
  }
  const each = threadsOfEach(processes, threads);
  refuseRoot();
  return [
    ...quiet,
    // Processes of one machine exchange through shared memory; a search for networks would print warnings.
    ...["--mca", "btl", isOld ? "self,vader" : "self,sm"],
    ...["-n", String(processes), ...boundToCores(each)],
  ];
}

/**
 * Arguments for the cores of processes on several hosts: an equal part of those of a host like this one, or all for a single process. Throws
 * UsageError for more processes on a host than cores.
 */
function coresOnHosts(hosts: readonly Host[], threads: number | undefined): readonly string[] {
  const most = Math.max(...hosts.map(({ slots }) => slots));
  if (most === 1 && threads === undefined) return ["--bind-to", "none"];
  const { threads: cores } = processorShare();
  const each = threads ?? Math.floor(cores / most);
  if (each >= 1) return boundToCores(each);
  throw new UsageError(
    `--hosts: expected at most ${cores} processes on a host with ${cores} cores, as this machine has, got ${most}; ` +
      "use fewer, or set --threads for hosts with more cores",
  );
}

function boundToCores(threads: number): readonly string[] {
  return ["--map-by", `slot:PE=${threads}`, "--bind-to", "core"];
}

/** Variables that the processes on other hosts need too. */
function exported(): readonly string[] {
  const names = ["ALEXNET_MPI", "ALEXNET_MPI_TIMEOUT", "OMP_WAIT_POLICY", "XDG_CACHE_HOME"];
  const set = names.filter((name) => process.env[name] !== undefined);
  return [LAUNCHED_VARIABLE, ...set].flatMap((name) => ["-x", name]);
}

/** Finds the launcher. Throws UsageError if there is none, or another one than Open MPI's. */
function requireLauncher(processes: number): Launcher {
  const launcher = findLauncher();
  if (!launcher) throw new UsageError(`--processes ${processes}: mpirun is not on the PATH; ${installMpi}`);
  if (launcher.name === "Open MPI") return launcher;
  throw new UsageError(
    `--processes ${processes}: expected the mpirun of Open MPI, got ${launcher.name}; start the processes by its own launcher, without --processes`,
  );
}

/** Compute threads of each of several processes on this machine. Throws UsageError for more than its cores. */
function threadsOfEach(processes: number, threads: number | undefined): number {
  const { threads: cores } = processorShare();
  const each = threads ?? Math.floor(cores / processes);
  if (each < 1 || processes * each > cores) {
    const [wanted, remedy] =
      threads === undefined ? ["", "fewer"] : [` of ${threads} threads`, "fewer processes or threads"];
    throw new UsageError(
      `--processes ${processes}: expected at most ${Math.floor(cores / (threads ?? 1))} processes${wanted} on the ${cores} cores of this machine; use ${remedy}`,
    );
  }
  return each;
}

/** Open MPI refuses to run as root. */
function refuseRoot(): void {
  const allowed = ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"];
  if (process.getuid?.() !== 0 || allowed.every((name) => process.env[name] === "1")) return;
  throw new UsageError(
    `mpirun: refuses to run as root; use another user, or in a container set ${allowed.map((name) => `${name}=1`).join(" and ")}`,
  );
}

/** Exit codes above this one are those of signals. */
const SIGNALLED = 128;
/** Exit code if the launcher itself is killed. */
const KILLED = SIGNALLED + 9;

/**
 * Runs a command of this program in several processes. Returns the exit code. The first Ctrl-C, SIGTERM or SIGHUP lets them save and stop; a second
 * one ends them at once.
 */
export async function launch(argv: readonly string[], options: LaunchOptions): Promise<number> {
  const { maxRestarts, resuming, hosts } = options;
  if (hosts) {
    requireLauncher(options.processes);
    await requireReachable(hosts, process.env);
  }
  for (let restarts = 1; ; restarts++) {
    const { code, isStopped } = await runJob(restarts === 1 ? argv : resuming, options);
    const isLost = code === SILENT_EXIT || (code > SIGNALLED && code !== STOPPED_IN_JOB);
    if (!isLost || isStopped || restarts > maxRestarts) return code;
    printError(`A process ended with code ${code}. Restart ${restarts} of ${maxRestarts} from the last checkpoint.`);
  }
}

/** Runs a job to its end; `isStopped` if this process was asked to stop it. */
async function runJob(argv: readonly string[], options: LaunchOptions) {
  const args = [...launchArguments(options), process.execPath, ...process.execArgv, process.argv[1] as string, ...argv];
  const child = spawn("mpirun", args, {
    // A terminal's Ctrl-C must not reach the launcher, which would end the processes before they save.
    detached: true,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, [LAUNCHED_VARIABLE]: String(options.processes) },
  });
  const stop = onStopSignals(
    () => {
      printError(STOPPING);
      child.kill(JOB_SIGNAL);
    },
    { onSecond: () => child.kill("SIGTERM") },
  );
  try {
    const [exit] = (await once(child, "close")) as [number | null];
    const isStopped = stop.signal.aborted;
    const code = isStopped && exit === STOPPED_IN_JOB ? stop.exitCode() : (exit ?? KILLED);
    return { code, isStopped };
  } finally {
    stop.end();
  }
}
