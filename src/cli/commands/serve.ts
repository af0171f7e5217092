/** `alexnet serve`. */

import type { EngineName } from "../../engine/select/engineNames.ts";
import { ConfigError } from "../../errors.ts";
import type { EngineSource } from "../../server/engineFacts.ts";
import { foreignFacts, type ImportFacts, inferenceOptions, modelHelp } from "../importOptions.ts";
import {
  type InferencePrecisionFlags,
  inferencePrecision,
  portNumber,
  positiveInteger,
  runArgument,
} from "../options.ts";
import { jsonOf, print, printError } from "../output.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec, Invocation } from "../spec.ts";

export const serve: CommandSpec = {
  arguments: [
    { ...runArgument, name: "<run...>", help: `${modelHelp}; several are served by the last part of their path` },
  ],
  options: [
    {
      flags: "--host <address>",
      help: "address to listen on; with any other address than this machine's own, other machines can send images",
      default: "127.0.0.1",
    },
    { flags: "--port <n>", help: "port; 0 chooses a free one", parse: portNumber, default: 8000 },
    {
      flags: "--max-batch <n>",
      help: "maximum number of images computed together",
      parse: positiveInteger,
      default: 32,
    },
    {
      flags: "--max-wait <ms>",
      help: "milliseconds that an image waits for others of its batch while the engine is idle",
      parse: milliseconds,
      default: 5,
    },
    {
      flags: "--queue <n>",
      help: "maximum number of images that are accepted and not answered, of each network; further requests get 503",
      parse: positiveInteger,
      default: 100,
    },
    {
      flags: "--allow-origin <list>",
      help: "origins of other web pages that may send images, comma-separated, such as https://example.org; * allows all",
      parse: list,
    },
    {
      flags: "--allow-host <list>",
      help: "names of this server in a Host header besides localhost and addresses, comma-separated",
      parse: list,
    },
    {
      flags: "--share-weights",
      help: "let the page load the networks' weights, to show activations and saliency; every client of the server can then download them",
    },
    ...inferenceOptions,
  ],
  examples: [
    ["alexnet serve runs/photos", "http://127.0.0.1:8000/, a page to try it"],
    ["alexnet serve runs/a runs/b --port 8080", "two networks"],
    ["alexnet serve photos.onnx --port 0 --json", "a free port, for a program"],
    ["alexnet serve runs/photos --precision bf16 --max-batch 64"],
    ["curl --data-binary @cat.jpg http://127.0.0.1:8000/predict", "a client"],
  ],
  notes: `
SIGTERM and Ctrl-C stop the server once the accepted requests are answered; the
exit code is then 0. Requests and answers: docs/serving.md.`,
  run: serveRuns,
};

interface ServeFlags extends InferencePrecisionFlags, ImportFacts {
  readonly host: string;
  readonly port: number;
  readonly maxBatch: number;
  readonly maxWait: number;
  readonly queue: number;
  readonly allowOrigin?: readonly string[];
  readonly allowHost?: readonly string[];
  readonly shareWeights?: boolean;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly json?: boolean;
}

async function serveRuns(runs: readonly string[], flags: ServeFlags, invocation: Invocation): Promise<void> {
  const sources = await sourcesOf(runs, flags, invocation);
  const { host, port, queue, allowHost: hosts = [], allowOrigin: origins = [], shareWeights = false, json } = flags;
  const { startPredictionServer } = await import("../../server/predictionServer.ts");
  const { isLoopback } = await import("../../server/address.ts");
  const stop = stopSignal();
  const server = await startPredictionServer({
    sources,
    address: { host, port },
    access: { hosts, origins },
    queue,
    shareWeights,
    onMessage: (message) => printError(`serve: ${message}`),
  });
  if (!isLoopback(host)) {
    printError(`serve: ${host}: there is no password; anyone who can reach this address can send images`);
  }
  const names = [...sources.keys()];
  print(json ? jsonOf({ url: server.url, models: names }) : `${names.join(", ")} at ${server.url}`);
  await stop;
  await server.close();
  // The exit code of a server that was asked to stop; connections of clients that do not close theirs would keep the process.
  process.exit(0);
}

/** Resolves at the first signal to stop; a second one ends the process. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const stop = onStopSignals(() => printError("serve: stopping once the accepted requests are answered"));
    stop.signal.addEventListener("abort", () => resolve());
  });
}

/** The networks by name. Wrong usage for two of the same name, and for a queue without room for a batch. */
async function sourcesOf(
  runs: readonly string[],
  flags: ServeFlags,
  invocation: Invocation,
): Promise<ReadonlyMap<string, EngineSource>> {
  const { nameOfRun } = await import("../../server/routes.ts");
  const { maxBatch, maxWait, queue, engine, threads } = flags;
  if (queue < maxBatch) invocation.fail(`--queue ${queue}: expected at least --max-batch ${maxBatch}`);
  const { precision, calibration } = inferencePrecision(flags, invocation);
  const sources = new Map<string, EngineSource>();
  for (const path of runs) {
    const name = nameOfRun(path);
    const other = sources.get(name);
    if (other) {
      invocation.fail(`${other.path} and ${path} are both served as "${name}"; rename one of them, or serve one alone`);
    }
    sources.set(name, {
      path,
      maxBatch,
      maxWait,
      ...(precision && { precision }),
      ...(calibration && { calibration }),
      facts: foreignFacts(flags),
      ...(engine && { engine }),
      ...(threads !== undefined && { threads }),
    });
  }
  return sources;
}

function milliseconds(text: string): number {
  const value = Number(text.replace(/ms$/, "") || Number.NaN);
  if (value >= 0 && value <= 10_000) return value;
  throw new ConfigError(`expected a number of milliseconds from 0 to 10000, such as 5 or 5ms, got "${text}"`);
}

function list(text: string): readonly string[] {
  return text
    .split(",")
    .map((part) => part.trim().toLowerCase())
    .filter((part) => part !== "");
}
