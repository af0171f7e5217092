/** One request and its answer. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connections } from "./connections.ts";
import type { Pieces } from "./pieces.ts";
import { RequestError, unavailable } from "./requestError.ts";

/** Largest body of a request, 10 MiB. */
export const MAX_BODY = 10 * 2 ** 20;
/** Milliseconds for which the rest of a refused body is read, so that its sender sees the refusal. */
const LINGER = 1000;
/** Milliseconds that a client has to read an answer. */
const READ_TIME = 30_000;

/** An answer to a request. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: string | Uint8Array;
}

/** A request as a handler sees it. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly url: URL;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** Reads the body, once. Throws RequestError if it is too large, or there is no memory for it. */
  readBody(): Promise<Pieces>;
  /** Runs work for an accepted request, whose connection stays open meanwhile. */
  accepted<T>(work: () => Promise<T>): Promise<T>;
}

/** Value of a header field that a client sent once. */
export function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

/** Throws RequestError for a body that is too large by its own header, or compressed. Called before it is read. */
export function checkBodyHeaders(request: IncomingMessage): void {
  const encoding = headerOf(request, "content-encoding")?.toLowerCase() ?? "identity";
  if (encoding !== "identity") {
    throw new RequestError(415, "Content-Encoding: expected an uncompressed body; send it without compression");
  }
  if (Number(headerOf(request, "content-length") ?? 0) > MAX_BODY) throw tooLarge();
}

function tooLarge(): RequestError {
  return new RequestError(413, `body: expected at most ${MAX_BODY} bytes (10 MiB); make the image smaller first`);
}

/** Creates the exchange of a request; `sendContinue` is called before its body is read. */
export function createExchange(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  connections: Connections,
  sendContinue: () => void,
): Exchange {
  const controller = new AbortController();
  const { socket } = request;
  let held = 0;
  response.once("close", () => {
    connections.hold(socket, -held);
    if (!response.writableFinished) controller.abort(new RequestError(499, "the client has gone"));
  });
  return {
    request,
    url,
    signal: controller.signal,
    async readBody() {
      checkBodyHeaders(request);
      sendContinue();
      const chunks: Uint8Array[] = [];
      await new Promise<void>((resolve, reject) => {
        request.on("data", (chunk: Buffer) => {
          held += chunk.length;
          if (held > MAX_BODY) return reject(tooLarge());
          chunks.push(chunk);
          if (!connections.hold(socket, chunk.length))
            reject(unavailable("too many bodies at a time; repeat the request"));
        });
        request.once("end", resolve);
        request.once("error", () => reject(new RequestError(400, "body: expected all of it, got a part")));
        controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
      }).finally(() => request.removeAllListeners("data"));
      return chunks;
    },
    async accepted(work) {
      connections.keep(socket);
      try {
        return await work();
      } finally {
        connections.release(socket);
      }
    },
  };
}

/** Sends an answer. The connection of a request whose body is too large to read is closed after it. */
export function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  { status = 200, headers = {}, body = "" }: Answer,
  isLast: boolean,
): void {
  if (response.destroyed) return;
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const isCut = status === 413;
  const close = isLast || isCut ? { Connection: "close" } : {};
  response.writeHead(status, { ...headers, ...close, "Content-Length": bytes.length });
  const timer = setTimeout(() => response.destroy(), READ_TIME);
  response.once("close", () => clearTimeout(timer));
  const isHead = request.method === "HEAD";
  if (!isCut || request.complete) return void response.end(isHead ? undefined : bytes);
  // The answer is complete by its length; the connection ends when the sender has had time to read it.
  response.write(bytes);
  request.resume();
  const end = () => response.end();
  const linger = setTimeout(end, LINGER);
  request.once("end", end);
  response.once("close", () => clearTimeout(linger));
}
