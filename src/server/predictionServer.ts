/** Server of predictions: engine processes, decoding threads and the HTTP server. */
import { packageVersion } from "../engine/select/machine.ts";
import type { ListenAddress } from "./address.ts";
import { createDecodePool } from "./decodePool.ts";
import type { EngineSource } from "./engineFacts.ts";
import { type EngineHost, startEngine } from "./engineHost.ts";
import { type AccessRules, startHttpServer } from "./httpServer.ts";
import { createMetrics } from "./metrics.ts";
import { route } from "./routes.ts";
import { createServedModel } from "./servedModel.ts";
import { createWebAnswers } from "./webAnswers.ts";

/** Options of a server. */
export interface PredictionServerOptions {
  /** Networks by name, the first of which answers requests that name none. */
  readonly sources: ReadonlyMap<string, EngineSource>;
  readonly address: ListenAddress;
  readonly access: AccessRules;
  /** Maximum number of images of each network that are accepted and not answered. */
  readonly queue: number;
  /** Lets the page load the networks' weights. Default false. */
  readonly shareWeights?: boolean;
  /** Maximum number of connections. Default 512. */
  readonly connections?: number;
  /** Called with notes and warnings. */
  readonly onMessage: (message: string) => void;
}

/** A running server. */
export interface PredictionServer {
  readonly url: string;
  /** Engine processes by the name of their network. */
  readonly engines: ReadonlyMap<string, EngineHost>;
  /** Answers the accepted requests, then ends all processes. Calling it again does nothing more. */
  close(): Promise<void>;
}

const CONNECTIONS = 512;
/** Milliseconds that accepted requests have to be answered when the server is closing. */
const LAST_ANSWERS = 25_000;

/**
 * Starts a server. Throws ConfigError if the address is unavailable or a network cannot be opened.
 */
export async function startPredictionServer(options: PredictionServerOptions): Promise<PredictionServer> {
  const { sources, address, access, queue, onMessage, connections = CONNECTIONS, shareWeights = false } = options;
  const engines = await startEngines(sources, onMessage);
  const tensors = [...sources].map(([name, { maxBatch }]) => {
    const { model } = (engines.get(name) as EngineHost).facts;
    return { input: model.network.input, maxBatch, preprocessing: model.preprocessing };
  });
  const pool = createDecodePool(tensors);
  const closeParts = async () => {
    await Promise.all([pool.close(), ...[...engines.values()].map((host) => host.close())]);
  };
  const metrics = createMetrics();
  const web = createWebAnswers({ sources, shareWeights });
  const version = packageVersion();
  const models = new Map(
    [...engines].map(([name, host], index) => {
      const facts = tensors[index] as (typeof tensors)[number];
      return [name, createServedModel({ name, host, facts, index, pool, queue, metrics })] as const;
    }),
  );
  let closing: Promise<void> | undefined;
  try {
    await pool.started;
    const server = await startHttpServer({
      address,
      access,
      connections,
      handle: (exchange) =>
        route(exchange, {
          models,
          metrics,
          web,
          version,
          connections: () => server.connections.count,
          isClosing: () => closing !== undefined,
        }),
      onAnswer: (request, status) =>
        metrics.countRequest({ method: knownMethod(request.method), code: String(status) }),
      onError: (error) => onMessage(`request failed: ${error instanceof Error ? error.stack : String(error)}`),
    });
    return {
      url: server.url,
      engines,
      close: () => {
        closing ??= server.close(LAST_ANSWERS).then(closeParts);
        return closing;
      },
    };
  } catch (error) {
    await closeParts();
    throw error;
  }
}

/** Labels are bounded: clients choose methods. */
function knownMethod(method = ""): string {
  return ["GET", "HEAD", "POST", "OPTIONS"].includes(method) ? method : "other";
}

/** Opens all networks. Throws the first error, after the others have ended. */
async function startEngines(
  sources: ReadonlyMap<string, EngineSource>,
  onMessage: (message: string) => void,
): Promise<ReadonlyMap<string, EngineHost>> {
  const names = [...sources.keys()];
  const started = await Promise.allSettled([...sources.values()].map((source) => startEngine(source, { onMessage })));
  const failed = started.find((each) => each.status === "rejected");
  const hosts = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  if (!failed) return new Map(names.map((name, i) => [name, hosts[i] as EngineHost]));
  await Promise.all(hosts.map((host) => host.close()));
  throw failed.reason;
}
