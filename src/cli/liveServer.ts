/** Web server of a live page; answers only GET requests from this machine. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { AlexNetError, ConfigError, codeOf, messageOf } from "../errors.ts";
import { livePolicy } from "../report/pages/livePage.ts";
import type { LiveRun } from "../runs/liveRun.ts";

export interface LiveServer {
  readonly url: string;
  /** True if an open page has polled recently. */
  isFollowed(): boolean;
  /** Closes open connections too. */
  close(): void;
}

/** The address to listen on. */
export interface LiveAddress {
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
}

/** Milliseconds: more than twice the polling interval of a page. */
const RECENTLY = 5000;

const loopbackNames: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** True if the address is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return loopbackNames.has(bracketed(host));
}

/** Starts the server. Throws ConfigError if the address is unavailable. */
export async function serveLive(run: LiveRun, { host, port }: LiveAddress): Promise<LiveServer> {
  const names = new Set([...loopbackNames, bracketed(host)]);
  let asked = Number.NEGATIVE_INFINITY;
  const server = createServer((request, response) => {
    if (request.url?.startsWith("/pieces")) asked = performance.now();
    void answer(run, names, request, response);
  });
  await listen(server, { host, port });
  return {
    url: `http://${bracketed(host)}:${(server.address() as AddressInfo).port}/`,
    isFollowed: () => performance.now() - asked < RECENTLY,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listen(server: Server, { host, port }: LiveAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const inUse = codeOf(cause) === "EADDRINUSE";
      const what = inUse ? "in use by another program; choose another port, or 0 for a free one" : messageOf(cause);
      reject(new ConfigError(`live: port ${port} of ${host}: ${what}`, { cause }));
    });
    server.listen(port, host, resolve);
  });
}

/** The host as written in URLs. */
function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
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
  // DNS rebinding: a page whose name was made to resolve to this address sends that name.
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

/** True for known names and for any IP address, which cannot be rebound. */
function isKnownHost(header: string | undefined, names: ReadonlySet<string>): boolean {
  const host = (header ?? "").toLowerCase().replace(/:\d+$/, "");
  return names.has(host) || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0;
}

/** The request target as a URL; undefined unless it is a path. */
function parseTarget(target: string): URL | undefined {
  const url = `http://localhost${target}`;
  return target.startsWith("/") && URL.canParse(url) ? new URL(url) : undefined;
}
