/** Threads that decode the bodies of requests, one each at a time; a thread that dies is replaced. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { startOf } from "../dataset/workerModule.ts";
import { moduleUrl } from "../packageRoot.ts";
import type { Decoded, DecodeJob, DecodeModel, DecodeOutcome } from "./decodeJob.ts";
import { RequestError } from "./requestError.ts";

/** Decoding threads. */
export interface DecodePool {
  /** Rejects with RequestError for a body that is not an image or a request, with the signal's reason if that is aborted before the work began. */
  decode(job: DecodeJob, signal: AbortSignal): Promise<Decoded>;
  close(): Promise<void>;
}

/** Milliseconds until a thread that died is replaced. */
const RESTART = 100;

interface Task {
  readonly job: DecodeJob;
  readonly signal: AbortSignal;
  resolve(decoded: Decoded): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  task: Task | undefined;
}

/** Starts the threads, which the caller must close. */
export function createDecodePool(models: readonly DecodeModel[], size = availableParallelism()): DecodePool {
  const waiting: Task[] = [];
  const threads = new Set<Thread>();
  let isClosed = false;

  const next = (thread: Thread) => {
    thread.task = undefined;
    for (let task = waiting.shift(); task; task = waiting.shift()) {
      if (task.signal.aborted) {
        task.reject(task.signal.reason);
        continue;
      }
      thread.task = task;
      thread.worker.postMessage(task.job);
      return;
    }
  };

  const startThread = () => {
    const worker = new Worker(startOf(moduleUrl("server/decodeThread")), { workerData: { models } });
    const thread: Thread = { worker, task: undefined };
    threads.add(thread);
    worker.on("message", (outcome: DecodeOutcome) => {
      const { task } = thread;
      next(thread);
      if ("images" in outcome) task?.resolve(outcome);
      else task?.reject(new RequestError(outcome.status, outcome.error));
    });
    worker.on("error", () => undefined);
    worker.on("exit", () => {
      threads.delete(thread);
      thread.task?.reject(new RequestError(400, "image: decoding it failed; save it again as JPEG or PNG"));
      if (!isClosed) setTimeout(() => isClosed || startThread(), RESTART).unref();
    });
    next(thread);
  };

  for (let i = 0; i < size; i++) startThread();
  return {
    decode: (job, signal) =>
      new Promise((resolve, reject) => {
        waiting.push({ job, signal, resolve, reject });
        const idle = [...threads].find(({ task }) => !task);
        if (idle) next(idle);
      }),
    async close() {
      isClosed = true;
      await Promise.all([...threads].map(({ worker }) => worker.terminate()));
    },
  };
}
