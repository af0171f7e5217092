/** Load on an HTTP server: connections that send one prepared request again and again, with little work of their own. */
import { connect, type Socket } from "node:net";

/** An answer. */
export interface Reply {
  readonly status: number;
  /** Milliseconds from the request's first byte to the answer's last. */
  readonly milliseconds: number;
  readonly headers: string;
  readonly body: Buffer;
}

/** Bytes of a POST request. */
export function postOf(
  url: string,
  path: string,
  body: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): Buffer {
  const fields = { Host: new URL(url).host, "Content-Length": String(body.length), ...headers };
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${head.join("")}\r\n`, "latin1"), body]);
}

/** One connection, opened when it is needed, on which one request is sent at a time. */
export class LoadConnection {
  readonly #address: { readonly port: number; readonly host: string };
  #socket: Socket | undefined;
  #chunks: Buffer[] = [];
  #began = 0;
  #settle: { resolve(reply: Reply): void; reject(error: Error): void } | undefined;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#address = { host: hostname, port: Number(port) };
  }

  /** Sends a request. Rejects if the connection ends before the answer. */
  send(request: Uint8Array): Promise<Reply> {
    this.#socket ??= this.#open();
    this.#began = performance.now();
    const answered = new Promise<Reply>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#socket.write(request);
    return answered;
  }

  /** Closes the connection at once. */
  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #open(): Socket {
    const socket = connect(this.#address).setNoDelay(true);
    const fail = (reason: string) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#chunks = [];
      this.#settle?.reject(new Error(reason));
      this.#settle = undefined;
    };
    socket.on("error", ({ message }) => fail(message));
    socket.on("close", () => fail("the connection was closed"));
    socket.on("data", (chunk) => this.#receive(socket, chunk));
    return socket;
  }

  #receive(socket: Socket, chunk: Buffer): void {
    this.#chunks.push(chunk);
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    const end = all.indexOf("\r\n\r\n");
    if (end < 0) return;
    const headers = all.toString("latin1", 0, end);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(headers)?.[1] ?? 0);
    const body = all.subarray(end + 4);
    if (body.length < length) return;
    this.#chunks = [];
    const settle = this.#settle;
    this.#settle = undefined;
    if (/\r\nconnection: close/i.test(headers)) {
      this.#socket = undefined;
      socket.destroy();
    }
    settle?.resolve({
      status: Number(headers.slice(9, 12)),
      milliseconds: performance.now() - this.#began,
      headers,
      body,
    });
  }
}

/** Replies of a load, by status; 0 counts connections that ended before the answer. */
export interface LoadResult {
  readonly seconds: number;
  /** Milliseconds of each reply. */
  readonly byStatus: ReadonlyMap<number, readonly number[]>;
}

interface Recorder {
  record(reply: Promise<Reply>): Promise<void>;
  result(): LoadResult;
}

function createRecorder(): Recorder {
  const byStatus = new Map<number, number[]>();
  const began = performance.now();
  const add = (status: number, milliseconds: number) => {
    const list = byStatus.get(status) ?? [];
    byStatus.set(status, list);
    list.push(milliseconds);
  };
  return {
    record: (reply) =>
      reply.then(
        ({ status, milliseconds }) => add(status, milliseconds),
        () => add(0, 0),
      ),
    result: () => ({ seconds: (performance.now() - began) / 1000, byStatus }),
  };
}

/** Sends requests on a number of connections, each the next one after its answer. */
export async function closedLoad(
  url: string,
  request: Uint8Array,
  { connections, seconds }: { readonly connections: number; readonly seconds: number },
): Promise<LoadResult> {
  const recorder = createRecorder();
  const end = performance.now() + 1000 * seconds;
  const open = Array.from({ length: connections }, () => new LoadConnection(url));
  await Promise.all(
    open.map(async (connection) => {
      while (performance.now() < end) await recorder.record(connection.send(request));
      connection.close();
    }),
  );
  return recorder.result();
}

/** Milliseconds between two groups of arrivals. */
const TICK = 5;

/** Sends requests at a rate, whatever the answers; each takes a connection that is idle, or a new one. */
export async function openLoad(
  url: string,
  request: Uint8Array,
  { rate, seconds }: { readonly rate: number; readonly seconds: number },
): Promise<LoadResult> {
  const recorder = createRecorder();
  const idle: LoadConnection[] = [];
  const pending = new Set<Promise<void>>();
  const began = performance.now();
  let sent = 0;
  for (;;) {
    const elapsed = (performance.now() - began) / 1000;
    if (elapsed >= seconds) break;
    for (const due = elapsed * rate; sent < due; sent++) {
      const connection = idle.pop() ?? new LoadConnection(url);
      const done = recorder.record(connection.send(request)).then(() => {
        idle.push(connection);
        pending.delete(done);
      });
      pending.add(done);
    }
    await new Promise((resolve) => setTimeout(resolve, TICK));
  }
  await Promise.all(pending);
  for (const connection of idle) connection.close();
  return recorder.result();
}

/** The result of two loads, one after the other. */
export function joinResults(a: LoadResult, b: LoadResult): LoadResult {
  const byStatus = new Map(a.byStatus);
  for (const [status, times] of b.byStatus) byStatus.set(status, [...(byStatus.get(status) ?? []), ...times]);
  return { seconds: a.seconds + b.seconds, byStatus };
}

/** The value that a fraction of the sorted values does not exceed; 0 without values. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(fraction * sorted.length))] ?? 0;
}

/** Number of replies with a status. */
export function countOf({ byStatus }: LoadResult, status: number): number {
  return byStatus.get(status)?.length ?? 0;
}
