/** `alexnet live`, alone and as a child of `train --live`. */
import { statSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import { setTimeout } from "node:timers/promises";
import { ConfigError } from "../../errors.ts";
import type { LiveMessage } from "../liveChild.ts";
import type { LiveServer } from "../liveServer.ts";
import { liveAddressOptions } from "../options.ts";
import { print, printError } from "../output.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";

export const live: CommandSpec = {
  arguments: [{ name: "<run>", help: "run directory" }],
  options: liveAddressOptions("--port", "--host"),
  examples: [
    ["alexnet live runs/quick", "a run that another process trains"],
    ["alexnet live runs/quick --port 8080", "http://127.0.0.1:8080/"],
    ["alexnet train --live", "train and serve this page"],
  ],
  notes: `
From another machine: ssh -L 8080:127.0.0.1:8080 THIS-MACHINE
Ctrl-C stops the server. It only reads the run directory.`,
  run: serve,
};

interface LiveFlags {
  readonly port: number;
  readonly host: string;
}

/** Milliseconds to keep serving after the run's end, so that pages, which poll every two seconds, show it. */
const LAST_LOOK = 3000;

async function serve(run: string, { port, host }: LiveFlags): Promise<void> {
  const parent = process.send?.bind(process) as ((message: LiveMessage) => void) | undefined;
  const parentEnds = parent ? parentEnded() : undefined;
  // Training has priority.
  if (getPriority() < constants.priority.PRIORITY_BELOW_NORMAL) setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  // A child starts before its run directory exists.
  const { fileExists } = await import("../../checkpoint/checkpointFiles.ts");
  if (!parent && !(await fileExists(run))) {
    throw new ConfigError(`${run}: no such run directory; list runs with alexnet runs`);
  }
  if (!parent && !statSync(run).isDirectory()) {
    throw new ConfigError(`${run}: a file, expected a run directory; list runs with alexnet runs`);
  }
  const server = await startServer(run, { port, host }, parent);
  if (!server) return;
  const { isLoopback } = await import("../../server/address.ts");
  if (!isLoopback(host)) printError(`live: ${host}: anyone who can reach this address can see the run`);
  if (parent) {
    parent({ url: server.url });
    await parentEnds;
    if (server.isFollowed()) await setTimeout(LAST_LOOK);
  } else {
    print(`${run} at ${server.url}`);
    await stopped();
  }
  server.close();
}

async function startServer(
  run: string,
  address: LiveFlags,
  parent: ((message: LiveMessage) => void) | undefined,
): Promise<LiveServer | undefined> {
  const [{ serveLive }, { createLiveRun }] = await Promise.all([
    import("../liveServer.ts"),
    import("../../runs/liveRun.ts"),
  ]);
  try {
    return await serveLive(await createLiveRun(run), address);
  } catch (error) {
    if (!parent || !(error instanceof ConfigError)) throw error;
    // The parent prints the error, so that there is one message, not two.
    parent({ problem: error.message });
    return undefined;
  }
}

/** Resolves when the parent process disconnects or dies. The parent handles the terminal's signals. */
function parentEnded(): Promise<unknown> {
  for (const name of ["SIGINT", "SIGHUP", "SIGBREAK"] as const) process.on(name, () => undefined);
  return new Promise((resolve) => process.once("disconnect", () => resolve(undefined)));
}

async function stopped(): Promise<void> {
  await new Promise<void>((resolve) => {
    const stop = onStopSignals(resolve);
    stop.signal.addEventListener("abort", () => {
      process.exitCode = stop.exitCode();
      stop.end();
    });
  });
}
