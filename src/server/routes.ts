/** Addresses of a prediction server and the answers they give. */
import { basename, resolve } from "node:path";
import { shownClasses } from "../model/predictRows.ts";
import { type Answer, type Exchange, headerOf } from "./exchange.ts";
import { jsonAnswer } from "./httpServer.ts";
import { inferMetadata, VERSION } from "./inferRequest.ts";
import type { Gauge, Metrics } from "./metrics.ts";
import { lengthOf } from "./pieces.ts";
import { RequestError, unavailable } from "./requestError.ts";
import type { ServedModel } from "./servedModel.ts";
import { samplePath, type WebAnswers } from "./webAnswers.ts";

/** State that the answers depend on. */
export interface RouteState {
  /** By name; the first answers requests that name none. */
  readonly models: ReadonlyMap<string, ServedModel>;
  readonly metrics: Metrics;
  readonly web: WebAnswers;
  /** Version of this program. */
  readonly version: string;
  /** Number of open connections. */
  connections(): number;
  /** True while the server is closing. */
  isClosing(): boolean;
}

type Handler = (exchange: Exchange, state: RouteState, name: string) => Promise<Answer> | Answer;

interface Route {
  /** Path; its first group is a model's name. */
  readonly path: RegExp;
  readonly get?: Handler;
  readonly post?: Handler;
}

const routes: readonly Route[] = [
  { path: /^\/$/, get: (_exchange, { web }) => web.page() },
  { path: new RegExp(`^${samplePath.replaceAll(".", "\\.")}$`), get: (_exchange, { web }) => web.sample() },
  { path: /^\/predict$/, post: predict },
  { path: /^\/models$/, get: (_exchange, { models }) => jsonAnswer({ models: [...models.keys()] }) },
  { path: /^\/models\/([^/]+)$/, get: (_exchange, state, name) => description(modelOf(state, name)) },
  {
    path: /^\/models\/([^/]+)\/weights$/,
    get: (_exchange, state, name) => state.web.weights(modelOf(state, name).name),
  },
  { path: /^\/metrics$/, get: (_exchange, state) => figures(state) },
  { path: /^\/v2\/?$/, get: (_exchange, { version }) => serverMetadata(version) },
  { path: /^\/v2\/health\/live$/, get: () => jsonAnswer({ live: true }) },
  { path: /^\/v2\/health\/ready$/, get: (_exchange, state) => readiness(state, [...state.models.values()]) },
  { path: /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?$/, get: (_exchange, state, name) => metadata(state, name) },
  {
    path: /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/ready$/,
    get: (_exchange, state, name) => readiness(state, [modelOf(state, name)]),
  },
  { path: /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/infer$/, post: infer },
];

/** Answers a request. Rejects with RequestError. */
export function route(exchange: Exchange, state: RouteState): Promise<Answer> | Answer {
  const { request, url } = exchange;
  for (const { path, get, post } of routes) {
    const match = path.exec(url.pathname);
    if (!match) continue;
    const [, name = "", version = VERSION] = match;
    if (version !== VERSION) throw new RequestError(404, `version: expected ${VERSION}, the only one`);
    const isRead = request.method === "GET" || request.method === "HEAD";
    const handler = isRead ? get : request.method === "POST" ? post : undefined;
    if (handler) return handler(exchange, state, decoded(name));
    const allow = [...(get ? ["GET", "HEAD"] : []), ...(post ? ["POST"] : [])].join(", ");
    throw new RequestError(405, `method: expected ${allow} for this path`, { Allow: allow });
  }
  throw new RequestError(404, "path: no such address; see the list in docs/serving.md");
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RequestError(400, "path: expected percent-encoded UTF-8");
  }
}

/** The model of a name; the first if the name is empty. */
function modelOf({ models }: RouteState, name: string): ServedModel {
  const [first] = models.values();
  const found = name === "" ? first : models.get(name);
  if (found) return found;
  const known = [...models.keys()].map((each) => `"${each}"`).join(", ");
  throw new RequestError(404, `model: no such model; expected one of ${known}`);
}

/** Name of a served network: the last part of its path. */
export function nameOfRun(path: string): string {
  return basename(resolve(path));
}

async function predict(exchange: Exchange, state: RouteState): Promise<Answer> {
  const { top, model: name } = predictQuery(exchange.url.searchParams);
  const model = modelOf(state, name);
  model.requireRoom();
  const body = await exchange.readBody();
  const began = performance.now();
  const classes = await model.predict(exchange, body, headerOf(exchange.request, "content-type") ?? "");
  const milliseconds = Math.round((performance.now() - began) * 1000) / 1000;
  return jsonAnswer({ classes: shownClasses(classes, top), milliseconds });
}

const DEFAULT_TOP = 5;

function predictQuery(query: URLSearchParams): { readonly top: number; readonly model: string } {
  for (const key of query.keys()) {
    if (key !== "top" && key !== "model") throw new RequestError(400, "query: expected top and model only");
  }
  const text = query.get("top");
  const top = text === null ? DEFAULT_TOP : Number(text);
  if (Number.isSafeInteger(top) && top > 0) return { top, model: query.get("model") ?? "" };
  throw new RequestError(400, "top: expected a whole number above 0");
}

async function infer(exchange: Exchange, state: RouteState, name: string): Promise<Answer> {
  const model = modelOf(state, name);
  model.requireRoom();
  const body = await exchange.readBody();
  const given = headerOf(exchange.request, LENGTH_HEADER);
  const bytes = lengthOf(body);
  const jsonBytes = given === undefined ? bytes : Number(given);
  if (given !== undefined && !(/^\d+$/.test(given) && jsonBytes <= bytes)) {
    throw new RequestError(400, `${LENGTH_HEADER}: expected a whole number of at most ${bytes}`);
  }
  const answer = await model.infer(exchange, body, jsonBytes);
  if (answer.jsonBytes === undefined) return { headers: { "Content-Type": "application/json" }, body: answer.body };
  const headers = { "Content-Type": "application/octet-stream", [LENGTH_HEADER]: answer.jsonBytes };
  return { headers, body: answer.body };
}

const LENGTH_HEADER = "inference-header-content-length";

function description({ name, host, classNames, summary }: ServedModel): Answer {
  const { engine, precision } = host.facts;
  return jsonAnswer({ name, engine, precision, classNames, ...summary });
}

function serverMetadata(version: string): Answer {
  return jsonAnswer({ name: "alexnet", version, extensions: ["binary_tensor_data"] });
}

function metadata(state: RouteState, name: string): Answer {
  const model = modelOf(state, name);
  return jsonAnswer(inferMetadata(model.name, model.facts, model.classNames.length));
}

function readiness({ isClosing }: RouteState, models: readonly ServedModel[]): Answer {
  if (isClosing()) throw unavailable("the server is closing");
  const down = models.find(({ host }) => !host.isReady);
  if (down) throw unavailable(`${down.name}: the engine is being started again`);
  return jsonAnswer({ ready: true });
}

function figures({ models, metrics, connections }: RouteState): Answer {
  const each = (value: (model: ServedModel) => number): Gauge["samples"] =>
    [...models.values()].map((model) => ({ labels: { model: model.name }, value: value(model) }));
  const one = (value: number): Gauge["samples"] => [{ labels: {}, value }];
  const gauges: readonly Gauge[] = [
    {
      name: "alexnet_queue_images",
      help: "Accepted images without an answer.",
      type: "gauge",
      samples: each((model) => model.queued),
    },
    {
      name: "alexnet_engine_ready",
      help: "1 if the engine process is ready.",
      type: "gauge",
      samples: each(({ host }) => Number(host.isReady)),
    },
    {
      name: "alexnet_engine_restarts_total",
      help: "Restarts of the engine process.",
      type: "counter",
      samples: each(({ host }) => host.restarts),
    },
    { name: "alexnet_connections", help: "Open connections.", type: "gauge", samples: one(connections()) },
    {
      name: "process_resident_memory_bytes",
      help: "Resident memory of the server process.",
      type: "gauge",
      samples: one(process.memoryUsage.rss()),
    },
  ];
  const body = metrics.format(gauges);
  return { headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }, body };
}
