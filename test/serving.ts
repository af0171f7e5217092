/** A prediction server of the test's own process, and requests to it. */
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import {
  type PredictionServer,
  type PredictionServerOptions,
  startPredictionServer,
} from "../src/server/predictionServer.ts";

/** Options of a server for tests. */
export interface ServingOptions extends Partial<Omit<PredictionServerOptions, "sources">> {
  readonly maxBatch?: number;
  readonly maxWait?: number;
}

/** Starts a server of runs by name on a free port. */
export async function startServing(
  runs: Readonly<Record<string, string>>,
  { maxBatch = 8, maxWait = 0, ...options }: ServingOptions = {},
): Promise<PredictionServer & { readonly messages: readonly string[] }> {
  const messages: string[] = [];
  const sources = new Map(
    Object.entries(runs).map(([name, path]) => [name, { path, maxBatch, maxWait, threads: 1 }] as const),
  );
  const server = await startPredictionServer({
    sources,
    address: { host: "127.0.0.1", port: 0 },
    access: { hosts: [], origins: [] },
    queue: 100,
    onMessage: (message) => messages.push(message),
    ...options,
  });
  return { ...server, messages };
}

/** An answer. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

/** Options of a request. */
export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** Sends a request with these header fields exactly, on a connection of its own. */
export async function ask(url: string, path: string, { method, headers = {}, body }: Asked = {}): Promise<Answered> {
  const sent = httpRequest(new URL(url), {
    method: method ?? (body === undefined ? "GET" : "POST"),
    path,
    headers,
    agent: false,
  });
  sent.end(body);
  const [response] = await once(sent, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) };
}

/** The JSON of an answer, which must have this status. */
export function jsonOf<T>({ status, body }: Answered, expected = 200): T {
  if (status !== expected) throw new Error(`expected status ${expected}, got ${status}: ${body}`);
  return JSON.parse(body.toString()) as T;
}

/** The message of a refusal, which must have this status. */
export function refusalOf(answered: Answered, status: number): string {
  return jsonOf<{ readonly error: string }>(answered, status).error;
}

/** Sends bytes as they are, and returns everything that the server sends until it closes the connection, or for a time in milliseconds. */
export async function exchangeBytes(url: string, bytes: string | Uint8Array, wait = 3000): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.write(bytes);
  const timer = setTimeout(() => socket.destroy(), wait);
  await once(socket, "close");
  clearTimeout(timer);
  return received;
}

/** Body and header fields of a request with one binary tensor. */
export function binaryInfer(
  tensor: Uint8Array,
  {
    name = "pixels",
    datatype = "UINT8",
    shape,
    binaryOutput = false,
  }: {
    readonly name?: string;
    readonly datatype?: string;
    readonly shape: readonly number[];
    readonly binaryOutput?: boolean;
  },
): { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> } {
  const json = Buffer.from(
    JSON.stringify({
      id: "7",
      inputs: [{ name, datatype, shape, parameters: { binary_data_size: tensor.length } }],
      outputs: [{ name: "probabilities", parameters: { binary_data: binaryOutput } }],
    }),
  );
  return { body: Buffer.concat([json, tensor]), headers: { "Inference-Header-Content-Length": String(json.length) } };
}
