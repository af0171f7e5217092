/** Starts and ends the process that serves a live page. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { ConfigError } from "../errors.ts";
import type { LiveMessage } from "./live.ts";
import type { LiveAddress } from "./liveServer.ts";

/** The server of a run that this process trains. It ends with this process, whatever ends that. */
export interface LiveChild {
  readonly url: string;
  /** When it has shown how the run ended to whoever looks, and left its address. */
  end(): Promise<void>;
}

/**
 * Starts `alexnet live` for a run directory, in a process of its own: training blocks this one for a second or more at a time.
 *
 * Throws ConfigError if it cannot have the address.
 */
export async function startLive(run: string, { host, port }: LiveAddress): Promise<LiveChild> {
  const command = process.argv[1] as string;
  const child = fork(command, ["live", run, "--host", host, "--port", String(port)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const message = await new Promise<LiveMessage>((resolve) => {
    child.once("message", (said) => resolve(said as LiveMessage));
    child.once("error", (error) => resolve({ problem: `live: cannot be started: ${error.message}` }));
    child.once("exit", (code) => resolve({ problem: `live: ended before it served anything (exit ${code})` }));
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
  // Neither keeps this process from ending; at its end the connection closes, which the server takes as its own.
  child.unref();
  child.channel?.unref();
  return { url: message.url, end };
}
