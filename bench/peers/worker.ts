/** Participants that compute when they are asked: worker processes, suspended while others compute, since threads that spin while waiting would use the cores. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Checked, Command, Timing } from "./protocol.ts";

/** A participant after its first step, at rest. */
export interface Worker {
  /** Library and version. */
  readonly description: string;
  /** Seconds from the start of the process, or of loading the page, to the end of its first step. */
  readonly firstStepSeconds: number;
  /** Times a number of steps. */
  run(steps: number): Promise<Timing>;
  check(): Promise<Checked>;
  /** Largest resident memory so far; undefined where the system does not tell. */
  peakBytes(): number | undefined;
  close(): Promise<void>;
}

const live = new Set<ChildProcess>();
// A suspended process would outlive this one.
process.on("exit", () => {
  for (const child of live) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

/**
 * Starts a worker process, with environment variables besides those of this process. Throws if it ends before completing its first step, with the end
 * of its standard error.
 */
export async function startWorker(
  command: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<Worker> {
  const before = performance.now();
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, ...variables } });
  live.add(child);
  const nextAnswer = answers(child);
  const { ready } = (await nextAnswer()) as { readonly ready: string };
  const firstStepSeconds = (performance.now() - before) / 1000;
  child.kill("SIGSTOP");
  async function ask(command: Command): Promise<unknown> {
    child.kill("SIGCONT");
    child.stdin?.write(`${JSON.stringify(command)}\n`);
    const reply = await nextAnswer();
    child.kill("SIGSTOP");
    return reply;
  }
  return {
    description: ready,
    firstStepSeconds,
    run: async (steps) => (await ask({ command: "run", steps })) as Timing,
    check: async () => ((await ask({ command: "check" })) as { readonly checked: Checked }).checked,
    peakBytes: () => peakBytes(child.pid),
    async close() {
      child.kill("SIGKILL");
      live.delete(child);
    },
  };
}

/** Returns a function that waits for the worker's next line. */
function answers(child: ChildProcess): () => Promise<unknown> {
  if (!child.stdout || !child.stderr) throw new Error("a worker without pipes");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaints = (complaints + text).slice(-2000);
  });
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => reject(new Error(`ended (${signal ?? code}): ${complaints.trim()}`)));
  });
  failed.catch(() => undefined);
  return async () => {
    const line = await Promise.race([lines.next(), failed]);
    return line.done ? failed : JSON.parse(line.value);
  };
}

/** From Linux's process status, which is reset when a process executes another program. */
function peakBytes(pid: number | undefined): number | undefined {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}
