/** Web server of a live page; answers only GET requests from this machine. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { AlexNetError, messageOf } from "../errors.ts";
import { livePolicy } from "../report/pages/livePage.ts";
import type { LiveRun } from "../runs/liveRun.ts";
import { isKnownHost, type ListenAddress, listenOn, namesOf, parseTarget } from "../server/address.ts";

export interface LiveServer {
  readonly url: string;
  /** True if an open page has polled recently. */
  isFollowed(): boolean;
  /** Closes open connections too. */
  close(): void;
}

/** Milliseconds: more than twice the polling interval of a page. */
const RECENTLY = 5000;

/** Starts the server. Throws ConfigError if the address is unavailable. */
export async function serveLive(run: LiveRun, address: ListenAddress): Promise<LiveServer> {
  const names = namesOf(address.host);
  let asked = Number.NEGATIVE_INFINITY;
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/pieces")) asked = performance.now();
    void answer(run, names, request, response);
  });
  const url = await listenOn(server, "live", address);
  return {
    url,
    isFollowed: () => performance.now() - asked < RECENTLY,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const headers = {
  "Content-Security-Policy": livePolicy,
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
} as const;

async function answer(
  run: LiveRun,
  names: ReadonlySet<string>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const send = (status: number, type: string, body: string) => {
    const bytes = Buffer.from(body);
    response.writeHead(status, {
      ...headers,
      "Content-Type": `${type}; charset=utf-8`,
      "Content-Length": bytes.length,
    });
    response.end(request.method === "HEAD" ? undefined : bytes);
  };
  const refuse = (status: number, why: string) => send(status, "text/plain", `alexnet live: ${why}\n`);
  if (!isKnownHost(request.headers.host, names)) {
    return refuse(403, `Host ${request.headers.host}: expected ${[...names].join(", ")}, or an address`);
  }
  if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, `${request.method}: only GET`);
  const url = parseTarget(request.url ?? "");
  try {
    if (url?.pathname === "/") return send(200, "text/html", (await run.view()).page);
    if (url?.pathname !== "/pieces") return refuse(404, "no such page; there is / only");
    const { version, pieces } = await run.view();
    if (url.searchParams.get("version") !== version) {
      return send(200, "application/json", JSON.stringify({ version, pieces }));
    }
    response.writeHead(204, headers).end();
  } catch (error) {
    // The file is being replaced, or is unreadable: the next request may succeed.
    refuse(500, error instanceof AlexNetError ? error.message : `failed: ${messageOf(error)}`);
  }
}
