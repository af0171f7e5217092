/** Threads of the runtime: worker_threads of Node.js, web workers of a browser. Nothing of Node.js is imported before it is found. */

/** A worker that serves. */
export interface StartedWorker {
  /** Ends it, at once. Resolves once it has ended; never where the runtime does not say so. */
  end(): Promise<void>;
}

/** Text and data of a worker to start. */
export interface WorkerRequest {
  /** Text of a function `serve(data, ready)`. */
  readonly source: string;
  readonly data: unknown;
  /** Called if it ends, with the reason. */
  onEnd(reason: string): void;
}

/** Threads of a runtime. */
export interface Platform {
  /** Processors that the runtime reports. */
  readonly processors: number;
  /** Reason for a single thread, where there can be no more. */
  readonly singleThread: string | undefined;
  /** Resolves once the worker is ready; rejects if it cannot be had. */
  startWorker(request: WorkerRequest): Promise<StartedWorker>;
}

/** The parts of Node.js that are used. */
interface NodeProcess {
  readonly versions?: { readonly node?: string };
}

interface NodeWorker {
  once(event: "message" | "error" | "exit", listener: (value: unknown) => void): void;
  unref(): void;
  terminate(): Promise<number>;
}

interface WorkerThreads {
  readonly Worker: new (source: string, options: object) => NodeWorker;
}

interface OperatingSystem {
  availableParallelism(): number;
}

/** Finds the runtime's threads. */
export async function findPlatform(): Promise<Platform> {
  const { process } = globalThis as { readonly process?: NodeProcess };
  return process?.versions?.node ? nodePlatform() : browserPlatform();
}

/** The names are variables, so that bundlers for browsers leave them alone. */
const nodeModules = { threads: "node:worker_threads", system: "node:os" };

async function nodePlatform(): Promise<Platform> {
  const { Worker } = (await import(nodeModules.threads)) as WorkerThreads;
  const { availableParallelism } = (await import(nodeModules.system)) as OperatingSystem;
  return {
    processors: availableParallelism(),
    singleThread: undefined,
    startWorker: ({ source, data, onEnd }) =>
      new Promise((resolve, reject) => {
        const text = `${source}
          const { parentPort, workerData } = require("node:worker_threads");
          serve(workerData, () => parentPort.postMessage("ready"));`;
        const worker = new Worker(text, { eval: true, workerData: data, execArgv: [], stdin: false });
        const ended = (reason: string) => {
          reject(new Error(reason));
          onEnd(reason);
        };
        worker.once("error", (error) => ended(error instanceof Error ? error.message : String(error)));
        worker.once("exit", (code) => ended(`exit code ${String(code)}`));
        worker.once("message", () => {
          worker.unref();
          resolve({ end: async () => void (await worker.terminate()) });
        });
      }),
  };
}

/** The parts of a browser that are used. */
interface BrowserScope {
  readonly crossOriginIsolated?: boolean;
  readonly document?: unknown;
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly Worker?: new (url: string) => BrowserWorker;
}

interface BrowserWorker {
  onmessage: ((event: unknown) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  postMessage(data: unknown): void;
  terminate(): void;
}

/** A thread that waits would block the page, and a page that is not isolated cannot share memory. */
function reasonForOne({ crossOriginIsolated, document, Worker }: BrowserScope): string | undefined {
  if (document !== undefined) return "the page's main thread must not wait; create the engine in a worker";
  if (!crossOriginIsolated) return "the page is not cross-origin isolated";
  return Worker ? undefined : "a worker cannot start others here";
}

function browserPlatform(): Platform {
  const scope = globalThis as BrowserScope;
  return {
    processors: scope.navigator?.hardwareConcurrency ?? 1,
    singleThread: reasonForOne(scope),
    startWorker: ({ source, data, onEnd }) =>
      new Promise((resolve, reject) => {
        const text = `${source}; onmessage = ({ data }) => serve(data, () => postMessage("ready"));`;
        const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
        const worker = new (scope.Worker as NonNullable<BrowserScope["Worker"]>)(url);
        worker.onerror = ({ message = "it could not be loaded" }) => {
          reject(new Error(message));
          onEnd(message);
        };
        worker.onmessage = () => {
          URL.revokeObjectURL(url);
          const end = () => {
            worker.terminate();
            return new Promise<void>(() => {});
          };
          resolve({ end });
        };
        worker.postMessage(data);
      }),
  };
}
