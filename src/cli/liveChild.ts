/** Starts and ends the process that serves a live page. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { ConfigError } from "../errors.ts";
import type { ListenAddress } from "../server/address.ts";

/** Message of the server process to the process that started it. */
export type LiveMessage = { readonly url: string } | { readonly problem: string };

/** The server of a run that this process trains. It exits with this process, even if that is killed. */
export interface LiveChild {
  readonly url: string;
  /** Resolves when open pages have shown the end of the run, and the address is free again. */
  end(): Promise<void>;
}

/**
 * Starts `alexnet live` for a run directory in a process of its own, because training blocks this one for a second or more at a time.
 *
 * Throws ConfigError if the address is unavailable.
 */
export async function startLive(run: string, { host, port }: ListenAddress): Promise<LiveChild> {
  const command = process.argv[1] as string;
  const child = fork(command, ["live", run, "--host", host, "--port", String(port)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const message = await new Promise<LiveMessage>((resolve) => {
    child.once("message", (said) => resolve(said as LiveMessage));
    child.once("error", (error) => resolve({ problem: `live: cannot start the server: ${error.message}` }));
    child.once("exit", (code) =>
      resolve({ problem: `live: the server exited before it was ready (exit code ${code})` }),
    );
  });
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.ref();
    if (child.connected) child.disconnect();
    await gone;
  };
  if ("problem" in message) {
    await end();
    throw new ConfigError(message.problem);
  }
  // Neither keeps this process alive; when it exits the connection closes, and the server exits too.
  child.unref();
  child.channel?.unref();
  return { url: message.url, end };
}
