/** Threads that decode the bodies of requests, one each at a time; a thread that dies is replaced. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { moduleUrl } from "../packageRoot.ts";
import { startOf } from "../workerModule.ts";
import { type Decoded, type DecodeJob, type DecodeModel, type DecodeOutcome, READY } from "./decodeJob.ts";
import { transferable } from "./pieces.ts";
import { RequestError } from "./requestError.ts";

/** Decoding threads. */
export interface DecodePool {
  /** Resolves when all threads have started. */
  readonly started: Promise<unknown>;
  /**
   * Decodes a body, whose memory it takes. Rejects with RequestError for a body that is not an image or a request, with the signal's reason if that is
   * aborted before the work began.
   */
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
  isReady: boolean;
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
      thread.worker.postMessage(task.job, transferable([task.job.body]));
      return;
    }
  };

  const startThread = (onReady: () => void) => {
    const worker = new Worker(startOf(moduleUrl("server/decodeThread")), { workerData: { models } });
    const thread: Thread = { worker, isReady: false, task: undefined };
    threads.add(thread);
    worker.on("message", (outcome: DecodeOutcome | typeof READY) => {
      const { task } = thread;
      if (outcome === READY) {
        thread.isReady = true;
        onReady();
        next(thread);
        return;
      }
      next(thread);
      if ("images" in outcome) task?.resolve(outcome);
      else task?.reject(new RequestError(outcome.status, outcome.error));
    });
    worker.on("error", () => undefined);
    worker.on("exit", () => {
      threads.delete(thread);
      thread.task?.reject(new RequestError(400, "image: decoding it failed; save it again as JPEG or PNG"));
      if (!isClosed) setTimeout(() => isClosed || startThread(onReady), RESTART).unref();
    });
  };

  const started = Promise.all(Array.from({ length: size }, () => new Promise<void>((resolve) => startThread(resolve))));
  return {
    started,
    decode: (job, signal) =>
      new Promise((resolve, reject) => {
        waiting.push({ job, signal, resolve, reject });
        const idle = [...threads].find(({ isReady, task }) => isReady && !task);
        if (idle) next(idle);
      }),
    async close() {
      isClosed = true;
      await Promise.all([...threads].map(({ worker }) => worker.terminate()));
    },
  };
}
