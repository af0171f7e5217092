/** The service worker of a written folder: a copy of its files in the browser, for use without a network. */
/// <reference lib="dom" />
import type { OfflineSite } from "../../exchange/webPageData.ts";

/** The folder's files; `writeWebFolder` writes this constant before the script. */
declare const site: OfflineSite;

/** The parts of a service worker's scope that are used. */
interface Scope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetching) => void): void;
}

interface Lasting {
  waitUntil(work: Promise<unknown>): void;
}

interface Fetching {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const scope = globalThis as unknown as Scope;
const folder = scope.registration.scope;
const page = new URL("./", folder).href;
const addresses = site.files.map((file) => new URL(file, folder).href);
/** Caches of this folder: a host may have several. */
const prefix = `alexnet ${folder} `;
const cacheName = prefix + site.version;

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(replaceEarlier()));
scope.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  const address = url.replace(/[?#].*$/, "").replace(/\/index\.html$/, "/");
  if (method === "GET" && addresses.includes(address)) event.respondWith(answer(event.request, address));
});

/** Copies all files, or none if storage is full or one of them is missing. */
async function install(): Promise<void> {
  try {
    const cache = await caches.open(cacheName);
    await cache.addAll(addresses.map((address) => new Request(address, { cache: "no-cache" })));
  } catch (error) {
    await caches.delete(cacheName);
    throw error;
  }
  await scope.skipWaiting();
}

async function replaceEarlier(): Promise<void> {
  const earlier = (await caches.keys()).filter((name) => name.startsWith(prefix) && name !== cacheName);
  await Promise.all(earlier.map((name) => caches.delete(name)));
  await scope.clients.claim();
}

/** The host's answer, so that page and files belong together while there is a network; the copy if the host does not answer. */
async function answer(request: Request, address: string): Promise<Response> {
  const found = await fetch(request).catch(() => Response.error());
  const isMissing = found.type === "error" || found.status >= 500;
  const copy = isMissing ? await (await caches.open(cacheName)).match(address) : undefined;
  return isolated(copy ?? found, address);
}

/** The page with the headers that isolate it, which many static hosts cannot send. */
function isolated(response: Response, address: string): Response {
  // Neither a redirection nor an error can be changed.
  if (address !== page || response.type !== "basic") return response;
  const { body, status, statusText } = response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(body, { status, statusText, headers });
}
