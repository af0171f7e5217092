/** `alexnet live`, alone and as a child of `train --live`. */
import { constants, getPriority, setPriority } from "node:os";
import { setTimeout } from "node:timers/promises";
import { type Command, Option } from "commander";
import { fileExists } from "../checkpoint/checkpointFiles.ts";
import { ConfigError } from "../errors.ts";
import type { LiveServer } from "./liveServer.ts";
import { portNumber } from "./options.ts";
import { print, tell } from "./output.ts";
import { onStopSignals } from "./signals.ts";

interface LiveFlags {
  readonly port: number;
  readonly host: string;
}

/** What a server that `train --live` started says to it. */
export type LiveMessage = { readonly url: string } | { readonly problem: string };

/** Milliseconds in which pages, which ask every two seconds, see how a run ended. */
const LAST_LOOK = 3000;

const examples = `
Examples:
  alexnet live runs/quick              a run that goes on in another process
  alexnet live runs/quick --port 8080  http://127.0.0.1:8080/
  alexnet train --live                 train, and serve this meanwhile

From another machine: ssh -L 8080:127.0.0.1:8080 THIS-MACHINE
Ctrl-C ends it. It only reads the run directory.
`;

export function addLive(program: Command): void {
  program
    .command("live")
    .description("show a run in the browser while it goes on: curves, pace, time left, filters")
    .argument("<run>", "run directory")
    .addOption(livePort("--port"))
    .addOption(liveHost("--host"))
    .addHelpText("after", examples)
    .action(live);
}

/** The port of the server, for `train` too. */
export function livePort(flag: string): Option {
  return new Option(`${flag} <n>`, "port of the page; 0: a free one").argParser(portNumber).default(0);
}

/** The address of the server, for `train` too. */
export function liveHost(flag: string): Option {
  return new Option(
    `${flag} <address>`,
    "address to serve the page at; others than this let other machines in",
  ).default("127.0.0.1");
}

async function live(run: string, { port, host }: LiveFlags): Promise<void> {
  const parent = process.send?.bind(process) as ((message: LiveMessage) => void) | undefined;
  const parentEnds = parent ? parentEnded() : undefined;
  // Training goes first.
  if (getPriority() < constants.priority.PRIORITY_BELOW_NORMAL) setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  // A child is there before its run is.
  if (!parent && !(await fileExists(run))) {
    throw new ConfigError(`${run}: no such run directory; alexnet runs lists runs`);
  }
  const server = await startServer(run, { port, host }, parent);
  if (!server) return;
  const { isLoopback } = await import("./liveServer.ts");
  if (!isLoopback(host)) tell(`live: ${host}: whoever reaches this address sees the run`);
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
    import("./liveServer.ts"),
    import("../runs/liveRun.ts"),
  ]);
  try {
    return await serveLive(await createLiveRun(run), address);
  } catch (error) {
    if (!parent || !(error instanceof ConfigError)) throw error;
    // The parent says it: one message, not two.
    parent({ problem: error.message });
    return undefined;
  }
}

/** When the process that started this one has no more use for it, or is gone. Ctrl-C is its to answer. */
function parentEnded(): Promise<unknown> {
  process.on("SIGINT", () => undefined);
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
