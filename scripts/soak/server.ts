/** A server in a process of its own, as the command starts it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** A running `alexnet serve`. */
export interface SoakServer {
  readonly url: string;
  readonly model: string;
  readonly process: ChildProcess;
  /** Lines of standard error so far. */
  messages(): string;
  /** Identifier of the engine's process; undefined between two of them. */
  enginePid(): Promise<number | undefined>;
  /** Resident bytes of the server and its engine. */
  residentBytes(): Promise<{ readonly server: number; readonly engine: number }>;
  /** Sends SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
}

const command = fileURLToPath(new URL("../../bin/alexnet.js", import.meta.url));

/** Starts a server of one network on a free port. Linux only: processes are found in /proc. */
export async function startSoakServer(run: string, flags: readonly string[] = []): Promise<SoakServer> {
  const args = [command, "serve", run, "--port", "0", "--json", ...flags];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let messages = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    messages += text;
  });
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding("utf8").once("data", resolve);
    child.once("exit", () => reject(new Error(`serve: ended before it was ready: ${messages}`)));
  });
  const { url, models } = JSON.parse(said) as { readonly url: string; readonly models: readonly string[] };
  const pid = child.pid as number;
  const enginePid = async () => (await childrenOf(pid))[0];
  return {
    url,
    model: models[0] as string,
    process: child,
    messages: () => messages,
    enginePid,
    residentBytes: async () => ({ server: await residentOf(pid), engine: await residentOf(await enginePid()) }),
    async stop() {
      if (child.exitCode !== null) return child.exitCode;
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      return (await ended)[0] as number | null;
    },
  };
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

async function residentOf(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return 1024 * Number(/VmRSS:\s*(\d+)/.exec(text)?.[1] ?? 0);
}
