/** Calls from the page to a worker, answered in any order, and events from the worker to the page. */

/** Functions of a worker: each takes one argument, and returns a promise. */
export type Api<T> = { readonly [K in keyof T]: (argument: never) => Promise<unknown> };

/** Reply to a call. */
type Reply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

interface Call {
  readonly id: number;
  readonly method: string;
  readonly argument: unknown;
}

interface Happening {
  readonly event: unknown;
}

/** The parts of a worker's scope that are used. */
interface WorkerScope {
  onmessage: ((message: { readonly data: Call }) => void) | null;
  postMessage(data: Reply | Happening): void;
}

/** Answers the calls of the page by `handlers`, in the worker. */
export function answerCalls<T extends Api<T>>(handlers: T): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = async ({ data: { id, method, argument } }) => {
    const handler = handlers[method as keyof T] as unknown as (given: unknown) => Promise<unknown>;
    try {
      scope.postMessage({ id, result: await handler(argument) });
    } catch (error) {
      // Thrown by the handler, or for a result that cannot be sent, for lack of memory.
      scope.postMessage({ id, error: problemOf(error) });
    }
  };
}

/** Sends an event to the page, from the worker. */
export function emit(event: unknown): void {
  (globalThis as unknown as WorkerScope).postMessage({ event });
}

/** A worker as the page sees it. */
export interface Connection<T extends Api<T>> {
  /** Calls a function of the worker. Rejects with its message, or because the worker has ended. */
  call<K extends keyof T>(method: K, ...argument: Parameters<T[K]>): ReturnType<T[K]>;
  /** Ends the worker. */
  close(): void;
}

/** Reactions to a worker. */
export interface WorkerListener<Event> {
  onEvent?(event: Event): void;
  /** Called once if the worker ends by itself, such as for lack of memory. */
  onEnd?(reason: string): void;
}

/** Starts a worker of the page's own script: `role` selects its functions. */
export function startWorker<T extends Api<T>, Event = never>(
  role: string,
  { onEvent, onEnd }: WorkerListener<Event> = {},
): Connection<T> {
  const worker = new Worker(scriptUrl(), { name: role });
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  let ended: string | undefined;
  const end = (reason: string) => {
    ended = reason;
    for (const { reject } of waiting.values()) reject(new Error(reason));
    waiting.clear();
  };
  worker.onmessage = ({ data }: MessageEvent<Reply | Happening>) => {
    if ("event" in data) return onEvent?.(data.event as Event);
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if ("error" in data) call?.reject(new Error(data.error));
    else call?.resolve(data.result);
  };
  worker.onerror = ({ message }) => {
    if (ended !== undefined) return;
    worker.terminate();
    end(message || "it ended");
    onEnd?.(message || "it ended");
  };
  const call = (method: keyof T, argument: unknown) =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(new Error(ended));
      const id = calls++;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, method, argument });
    });
  return {
    call: call as unknown as Connection<T>["call"],
    close: () => {
      worker.terminate();
      end("it was closed");
    },
  };
}

let url: string | undefined;

/** Address of the page's script: a copy, so that the page is a single file, and its content policy holds in workers. */
function scriptUrl(): string {
  const text = document.getElementById("app")?.textContent ?? "";
  url ??= URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return url;
}

/** Text of anything thrown in a worker, without a remedy by a flag of the command line, which pages lack. */
export function problemOf(error: unknown): string {
  return messageOf(error).replace(/; [^;]*--[a-z][^;]*$/, "");
}

/** Text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
