/** HTTP/1.1 server with bounds on connections, bodies and time, for requests of this machine or of names it knows. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isKnownHost, type ListenAddress, listenOn, namesOf, parseTarget } from "./address.ts";
import { type Connections, watchConnections } from "./connections.ts";
import { type Answer, createExchange, type Exchange, headerOf, sendAnswer } from "./exchange.ts";
import { RequestError } from "./requestError.ts";

/** Who may ask. */
export interface AccessRules {
  /** Further names of this server in a Host header. */
  readonly hosts: readonly string[];
  /** Origins of other pages that may send requests and read the answers; `*` is any. */
  readonly origins: readonly string[];
}

/** Options of a server. */
export interface HttpServerOptions {
  readonly address: ListenAddress;
  readonly access: AccessRules;
  /** Maximum number of connections. */
  readonly connections: number;
  /** Handles a request. Rejects with RequestError for a refusal. */
  readonly handle: (exchange: Exchange) => Promise<Answer> | Answer;
  /** Called with every answer's status. */
  readonly onAnswer: (request: IncomingMessage, status: number) => void;
  /** Called with errors that are no refusals. */
  readonly onError: (error: unknown) => void;
}

/** A listening server. */
export interface HttpServer {
  readonly url: string;
  readonly connections: Connections;
  /** Stops listening, waits until accepted requests are answered, at most `deadline` milliseconds, and closes all connections. */
  close(deadline: number): Promise<void>;
}

/** Limits of time, in milliseconds. */
const times = {
  /** Until a request's header is complete. */
  headersTimeout: 10_000,
  /** Until its body is complete too. */
  requestTimeout: 60_000,
  /** Between two requests of a connection. */
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1000,
} as const;

/** Bytes of all bodies that are not complete or not decoded. */
const BODY_BYTES = 128 * 2 ** 20;
/** Milliseconds that requests have to be complete when the server is closing. */
const LAST_REQUESTS = 5000;

const commonHeaders = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
} as const;

/** Starts a server. Throws ConfigError if the address is unavailable. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { address, access } = options;
  const server = createServer({ ...times, requireHostHeader: true });
  const connections = watchConnections(server, { connections: options.connections, bodyBytes: BODY_BYTES });
  const names = namesOf(address.host, access.hosts);
  let isClosing = false;

  const serve = async (request: IncomingMessage, response: ServerResponse, sendContinue = () => {}) => {
    const origin = originOf(request, access);
    const send = (answer: Answer) => {
      const headers = { ...commonHeaders, ...origin.headers, ...answer.headers };
      options.onAnswer(request, answer.status ?? 200);
      connections.touch(request.socket);
      sendAnswer(request, response, { ...answer, headers }, isClosing);
    };
    try {
      const url = checkRequest(request, names, origin);
      if (request.method === "OPTIONS" && origin.headers) return send({ status: 204, headers: preflight });
      send(await options.handle(createExchange(request, response, url, connections, sendContinue)));
    } catch (error) {
      if (!(error instanceof RequestError)) options.onError(error);
      const { status, message, headers } =
        error instanceof RequestError ? error : new RequestError(500, "the server failed; see its log");
      send(jsonAnswer({ error: message }, status, headers));
    }
  };
  server.on("request", (request, response) => void serve(request, response));
  server.on("checkContinue", (request, response) => void serve(request, response, () => response.writeContinue()));
  server.on("connect", (_request, socket) =>
    socket.end("HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\n\r\n"),
  );
  const url = await listenOn(server, "serve", address);
  return {
    url,
    connections,
    close(deadline) {
      isClosing = true;
      return closeServer(server, connections, deadline);
    },
  };
}

/** An answer in JSON. */
export function jsonAnswer(value: unknown, status = 200, headers: Answer["headers"] = {}): Answer {
  return { status, headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(value) };
}

const preflight = {
  "Access-Control-Allow-Methods": "GET, POST",
  "Access-Control-Allow-Headers": "Content-Type, Inference-Header-Content-Length",
  "Access-Control-Max-Age": "600",
} as const;

interface Origin {
  readonly isForeign: boolean;
  /** CORS header fields, if this origin is allowed by name. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The origin of a request. A page of this server, and a client that is no browser, is not foreign. */
function originOf(request: IncomingMessage, { origins }: AccessRules): Origin {
  const origin = headerOf(request, "origin");
  if (origin === undefined) return { isForeign: false };
  if (origins.includes("*") || origins.includes(origin.toLowerCase())) {
    const exposed = "Inference-Header-Content-Length, Retry-After";
    const headers = { "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": exposed, Vary: "Origin" };
    return { isForeign: false, headers };
  }
  const own = URL.canParse(origin) && new URL(origin).host === headerOf(request, "host")?.toLowerCase();
  return { isForeign: !own };
}

/** The target of a request. Throws RequestError for one that is not meant for this server. */
function checkRequest(request: IncomingMessage, names: ReadonlySet<string>, origin: Origin): URL {
  const { host } = request.headers;
  // A proxy may have checked another one of several.
  if (request.headersDistinct["host"]?.length !== 1)
    throw new RequestError(400, "Host: expected the header field once");
  if (!isKnownHost(host, names)) {
    throw new RequestError(
      403,
      `Host ${host}: expected ${[...names].join(", ")}, or an address; add it with --allow-host`,
    );
  }
  if (origin.isForeign && request.method !== "GET" && request.method !== "HEAD") {
    throw new RequestError(403, "Origin: expected a page of this server; allow others with --allow-origin");
  }
  const url = parseTarget(request.url ?? "");
  if (!url) throw new RequestError(400, "target: expected a path, such as /predict");
  return url;
}

async function closeServer(server: Server, connections: Connections, deadline: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const idle = setTimeout(connections.dropIdle, LAST_REQUESTS);
  const all = setTimeout(() => server.closeAllConnections(), deadline);
  await closed;
  clearTimeout(idle);
  clearTimeout(all);
}
