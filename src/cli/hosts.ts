/** Hosts of a job of several processes: the value of `--hosts`, and a check that they can be reached. */
import { execFile } from "node:child_process";
import { hostname, networkInterfaces } from "node:os";
import { ConfigError, UsageError } from "../errors.ts";

/** A host and its number of processes. */
export interface Host {
  readonly name: string;
  readonly slots: number;
}

/** Seconds for a connection to a host. */
const CONNECT_SECONDS = 10;
/** The environment variable of Open MPI with the program that starts processes on other hosts, instead of ssh. */
const AGENT_VARIABLE = "OMPI_MCA_plm_rsh_agent";

/** Parses `a:2,b`: host names or IPv4 addresses with a number of processes, by default 1. Throws ConfigError for anything else. */
export function parseHosts(text: string): readonly Host[] {
  const hosts = text.split(",").map((part): Host => {
    const [, name, slots = "1"] = /^([\w][\w.-]*)(?::([1-9]\d{0,4}))?$/.exec(part.trim()) ?? [];
    if (name === undefined) throw new ConfigError(`expected HOST:PROCESSES,…, such as a:1,b:1, got ${text}`);
    return { name, slots: Number(slots) };
  });
  const twice = hosts.find(({ name }, i) => hosts.findIndex((other) => other.name === name) < i);
  if (twice) throw new ConfigError(`expected each host once, got ${twice.name} twice`);
  return hosts;
}

/** Number of processes on all hosts. */
export function processesOn(hosts: readonly Host[]): number {
  return hosts.reduce((sum, { slots }) => sum + slots, 0);
}

/** Arguments of `mpirun` for hosts. */
export function hostArguments(hosts: readonly Host[]): readonly string[] {
  return ["--host", hosts.map(({ name, slots }) => `${name}:${slots}`).join(",")];
}

/**
 * Throws UsageError naming the hosts that do not answer within the time of a connection. In a batch system, its own launcher reaches them.
 */
export async function requireReachable(hosts: readonly Host[], env: NodeJS.ProcessEnv): Promise<void> {
  if (env["SLURM_JOB_ID"] !== undefined) return;
  const others = hosts.filter(({ name }) => !isThisHost(name));
  const problems = await Promise.all(others.map(({ name }) => problemOf(name, env[AGENT_VARIABLE] ?? "ssh")));
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length === 0) return;
  throw new UsageError(
    `--hosts: expected hosts that answer, got ${found.join("; ")}; check their names, and that ssh reaches them without a password`,
  );
}

function isThisHost(name: string): boolean {
  const own = hostname();
  const addresses = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  return ["localhost", own, own.split(".")[0], ...addresses].includes(name);
}

/** Runs `true` on a host. Returns the host with the reason if that fails. */
function problemOf(name: string, agent: string): Promise<string | undefined> {
  const [program = "ssh", ...given] = agent.split(" ");
  const isSsh = program.endsWith("ssh");
  const options = isSsh ? ["-o", "BatchMode=yes", "-o", `ConnectTimeout=${CONNECT_SECONDS}`] : [];
  const args = [...given, ...options, name, "true"];
  return new Promise((resolve) => {
    execFile(program, args, { timeout: (CONNECT_SECONDS + 2) * 1000 }, (error, _stdout, stderr) => {
      const said = stderr.trim().split("\n").at(-1)?.trim();
      resolve(error ? `${name} (${said || error.message.split("\n")[0]})` : undefined);
    });
  });
}
