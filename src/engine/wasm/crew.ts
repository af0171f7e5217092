/** The threads of a program: they share its memory, and run the steps of each phase together. */
import { NativeError } from "../../errors.ts";
import { control } from "./kernels/kernel.ts";
import type { Phase } from "./plan.ts";
import type { Platform, StartedWorker } from "./platform.ts";

/** Subject of a pass: words of `control`. */
export interface PassWords {
  /** Number of images. */
  readonly images: number;
  readonly seed: number;
  readonly first: number;
  readonly training: boolean;
}

/** Threads that run phases. */
export interface Crew {
  /** Runs the steps of a phase, and returns when they are done. Throws NativeError if a thread has failed. */
  run(phase: Phase): void;
  /** Sets the subject of the next phases. */
  prepare(pass: PassWords): void;
  /** Ends the threads. Resolves once they have ended, and use the memory no more. */
  close(): Promise<void>;
}

/** Parts of a crew. */
export interface CrewOptions {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly threads: number;
  readonly platform: Platform;
  /** Scratch memory: address of thread 0's, and bytes of each. */
  readonly scratch: { readonly address: number; readonly bytes: number };
}

/**
 * The program of each worker: it serves phases until the program is closed. If it fails, it says so in shared memory, and wakes all others.
 * Plain JavaScript, since it is the text of a worker.
 */
const workerSource = `
function serve({ module, memory, thread, failed, passed }, ready) {
  const words = new Int32Array(memory.buffer);
  try {
    const host = { memory, now: () => 0, power: Math.pow };
    const instance = new WebAssembly.Instance(module, { host });
    ready();
    instance.exports.serve(thread);
  } catch (error) {
    Atomics.store(words, failed / 4, 1);
    Atomics.add(words, passed / 4, 1);
    Atomics.notify(words, passed / 4);
    throw error;
  }
}
`;

/** Starts the other threads. Throws NativeError if the system refuses one. */
export async function startCrew({ module, memory, threads, platform, scratch }: CrewOptions): Promise<Crew> {
  const words = new Int32Array(memory.buffer, 0, control.end / 4);
  words[control.threads / 4] = threads;
  words[control.scratch / 4] = scratch.address;
  words[control.scratchBytes / 4] = scratch.bytes;
  const host = { memory, now: () => performance.now() / 1000, power: Math.pow };
  const run = new WebAssembly.Instance(module, { host }).exports["run"] as (thread: number) => void;
  let failure: string | undefined;
  let isClosed = false;
  const fail = (reason: string) => {
    failure ??= reason;
    Atomics.store(words, control.failed / 4, 1);
    wake(words, control.passed);
    wake(words, control.started);
  };
  const end = async (workers: readonly StartedWorker[]) => {
    isClosed = true;
    Atomics.store(words, control.ended / 4, 1);
    wake(words, control.started);
    await Promise.all(workers.map((worker) => worker.end()));
  };
  const workers = await startWorkers(platform, threads - 1, (thread) => ({
    source: workerSource,
    data: { module, memory, thread, failed: control.failed, passed: control.passed },
    onEnd: (reason) => {
      if (!isClosed) fail(reason);
    },
  })).catch((cause: unknown) => {
    void end([]);
    throw cause;
  });
  return {
    prepare({ images, seed, first, training }) {
      words[control.images / 4] = images;
      words[control.seed / 4] = seed;
      words[control.first / 4] = first;
      words[control.training / 4] = Number(training);
    },
    run({ address, count }) {
      requireSound(words, failure);
      words[control.steps / 4] = address;
      words[control.stepCount / 4] = count;
      wake(words, control.started);
      try {
        run(0);
      } catch (cause) {
        fail("its arithmetic failed");
        throw new NativeError(`engine wasm: ${String(cause)}`, { cause });
      }
      requireSound(words, failure);
    },
    close: () => end(workers),
  };
}

/** Starts workers side by side. If one cannot be had, ends the others. */
async function startWorkers(
  platform: Platform,
  count: number,
  worker: (thread: number) => Parameters<Platform["startWorker"]>[0],
): Promise<readonly StartedWorker[]> {
  const starts = Array.from({ length: count }, (_, i) => platform.startWorker(worker(i + 1)));
  const results = await Promise.allSettled(starts);
  const started = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const refused = results.find((result) => result.status === "rejected");
  if (!refused) return started;
  for (const one of started) void one.end();
  const cause: unknown = refused.reason;
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new NativeError(`engine wasm: cannot start ${count + 1} threads (${reason}); use --threads 1`, { cause });
}

function requireSound(words: Int32Array, failure: string | undefined): void {
  if (Atomics.load(words, control.failed / 4) === 0) return;
  const reason = failure ?? "its arithmetic failed";
  throw new NativeError(`engine wasm: a thread ended (${reason}); run again, or use --threads 1`);
}

function wake(words: Int32Array, address: number): void {
  Atomics.add(words, address / 4, 1);
  Atomics.notify(words, address / 4);
}
