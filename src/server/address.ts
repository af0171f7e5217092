/** Addresses of this program's web servers: who may ask, and under which names. */
import type { Server } from "node:http";
import { type AddressInfo, isIP } from "node:net";
import { ConfigError, codeOf, messageOf } from "../errors.ts";

/** The address to listen on. */
export interface ListenAddress {
  readonly host: string;
  /** 0 chooses a free port. */
  readonly port: number;
}

const loopbackNames: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

/** True if the address is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return loopbackNames.includes(bracketed(host));
}

/** Names of a server that listens on `host`, as in a Host header without a port. */
export function namesOf(host: string, more: readonly string[] = []): ReadonlySet<string> {
  return new Set([...loopbackNames, bracketed(host), ...more.map((name) => name.toLowerCase())]);
}

/**
 * True for known names and for any IP address, which cannot be rebound. Guards against DNS rebinding: a page whose name was made to resolve to this
 * address sends that name.
 */
export function isKnownHost(header: string | undefined, names: ReadonlySet<string>): boolean {
  const host = (header ?? "").toLowerCase().replace(/:\d+$/, "");
  return names.has(host) || isIP(host.replace(/^\[(.*)\]$/, "$1")) !== 0;
}

/** The request target as a URL; undefined unless it is a path. */
export function parseTarget(target: string): URL | undefined {
  const url = `http://localhost${target}`;
  return target.startsWith("/") && URL.canParse(url) ? new URL(url) : undefined;
}

/** Starts listening and returns the server's URL. Throws ConfigError, beginning with `command`, if the address is unavailable. */
export async function listenOn(server: Server, command: string, { host, port }: ListenAddress): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const inUse = codeOf(cause) === "EADDRINUSE";
      const what = inUse ? "in use by another program; choose another port, or 0 for a free one" : messageOf(cause);
      reject(new ConfigError(`${command}: port ${port} of ${host}: ${what}`, { cause }));
    });
    server.listen(port, host, resolve);
  });
  return `http://${bracketed(host)}:${(server.address() as AddressInfo).port}/`;
}

/** The host as written in URLs. */
function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}
