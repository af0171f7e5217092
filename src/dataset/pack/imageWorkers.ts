/** Image worker threads with a bounded number of results in flight, and images decoded by them in order. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { DataError, messageOf } from "../../errors.ts";
import type { Image } from "../../image/image.ts";
import type { Fitting } from "../../image/prepare/fitter.ts";
import { startOf, threadModule } from "../workerModule.ts";
import type { ImageJob, ImageOutcome, JobChunk, OutcomeChunk } from "./imageJob.ts";

/** The work of the threads, and their number. */
export interface ImageWorkersOptions {
  /** Given, images come back fitted wherever that makes them smaller. */
  readonly fitting?: Fitting | undefined;
  /** Default: one a core. */
  readonly threads?: number | undefined;
  /** The module that threads run: other than the default for tests. */
  readonly module?: URL | undefined;
}

/** Result of a job. */
export interface ImageResult {
  /** Place of the job among all. */
  readonly index: number;
  readonly path: string;
  readonly outcome: ImageOutcome;
}

/** Threads that read and decode image files. */
interface ImageWorkers {
  /**
   * Does all jobs, in any order. Jobs are taken as they are needed, and only so many are begun that a consumer who is slow does not
   * fill the memory. One run at a time.
   *
   * Throws DataError naming the files that were being decoded if a thread dies; the signal's reason if that is aborted.
   */
  run(jobs: Iterable<ImageJob>, signal?: AbortSignal): AsyncIterable<ImageResult>;
  close(): Promise<void>;
}

/** So many that while one waits for the disk or for the consumer, others keep a core busy. */
const CHUNKS_PER_THREAD = 3;
/** Jobs are sent together up to these, so that messages cost little beside the smallest images. */
const CHUNK_BYTES = 256 * 1024;
const CHUNK_JOBS = 32;
const USUAL_BYTES = 64 * 1024;

/** Starts threads, which the caller closes. */
export function createImageWorkers(options: ImageWorkersOptions = {}): ImageWorkers {
  const { fitting, threads = availableParallelism(), module = threadModule("pack/imageWorker") } = options;
  const inbox = createInbox();
  const workers = Array.from({ length: threads }, () => new Worker(startOf(module), { workerData: { fitting } }));
  for (const worker of workers) {
    worker.on("message", (chunk: OutcomeChunk) => inbox.put(chunk));
    worker.on("error", (error: unknown) => inbox.fail(worker, messageOf(error)));
    worker.on("exit", (code) => inbox.fail(worker, `it ended with code ${code}`));
  }
  return {
    run: (jobs, signal) => runJobs(workers, inbox, jobs, signal),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

interface PendingChunk extends JobChunk {
  /** Index of its first job. */
  readonly first: number;
  readonly worker: Worker;
}

async function* runJobs(
  workers: readonly Worker[],
  inbox: Inbox,
  jobs: Iterable<ImageJob>,
  signal: AbortSignal | undefined,
): AsyncGenerator<ImageResult> {
  const pending = new Map<number, PendingChunk>();
  const chunks = chunksOf(jobs);
  const send = (worker: Worker) => {
    const { value } = chunks.next();
    if (!value) return;
    const id = inbox.nextId();
    pending.set(id, { id, worker, ...value });
    worker.postMessage({ id, jobs: value.jobs } satisfies JobChunk);
  };
  signal?.addEventListener("abort", inbox.wake);
  try {
    for (let round = 0; round < CHUNKS_PER_THREAD; round++) for (const worker of workers) send(worker);
    while (pending.size > 0) {
      const arrived = await nextArrival(inbox, pending, signal);
      const chunk = pending.get(arrived.id);
      if (!chunk) continue; // of an earlier run that was given up
      for (const [i, outcome] of arrived.outcomes.entries()) {
        signal?.throwIfAborted();
        yield { index: chunk.first + i, path: (chunk.jobs[i] as ImageJob).path, outcome };
      }
      pending.delete(arrived.id);
      send(chunk.worker);
    }
  } finally {
    signal?.removeEventListener("abort", inbox.wake);
  }
}

async function nextArrival(
  inbox: Inbox,
  pending: ReadonlyMap<number, PendingChunk>,
  signal: AbortSignal | undefined,
): Promise<OutcomeChunk> {
  for (;;) {
    signal?.throwIfAborted();
    const arrived = inbox.take();
    if (arrived) return arrived;
    const death = inbox.death();
    if (death) throw deadWorker(death, pending.values());
    await inbox.news();
  }
}

function* chunksOf(jobs: Iterable<ImageJob>): Generator<{ readonly first: number; readonly jobs: ImageJob[] }> {
  let [first, bytes] = [0, 0];
  let chunk: ImageJob[] = [];
  for (const job of jobs) {
    chunk.push(job);
    bytes += job.bytes ?? USUAL_BYTES;
    if (chunk.length < CHUNK_JOBS && bytes < CHUNK_BYTES) continue;
    yield { first, jobs: chunk };
    first += chunk.length;
    [chunk, bytes] = [[], 0];
  }
  if (chunk.length > 0) yield { first, jobs: chunk };
}

const NAMED_FILES = 10;

function deadWorker({ worker, reason }: Death, pending: Iterable<PendingChunk>): DataError {
  const paths = Array.from(pending).flatMap((chunk) => (chunk.worker === worker ? chunk.jobs : []));
  const named = paths.slice(0, NAMED_FILES).map(({ path }) => path);
  if (paths.length > named.length) named.push(`${paths.length - named.length} more`);
  return new DataError(
    `decoding: a thread died (${reason}) on one of these files: ${named.join(", ")}; try without them, or with fewer threads`,
  );
}

interface Death {
  readonly worker: Worker;
  readonly reason: string;
}

/** Messages from the threads, and the first thread that died. */
interface Inbox {
  nextId(): number;
  put(chunk: OutcomeChunk): void;
  take(): OutcomeChunk | undefined;
  fail(worker: Worker, reason: string): void;
  death(): Death | undefined;
  /** Resolves with the next of `put`, `fail` and `wake`. */
  news(): Promise<void>;
  wake(): void;
}

function createInbox(): Inbox {
  const arrived: OutcomeChunk[] = [];
  let ids = 0;
  let death: Death | undefined;
  let wake = () => {};
  return {
    nextId: () => ids++,
    put(chunk) {
      arrived.push(chunk);
      wake();
    },
    take: () => arrived.shift(),
    fail(worker, reason) {
      death ??= { worker, reason };
      wake();
    },
    death: () => death,
    news: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
    wake: () => wake(),
  };
}

/** Result of a file. */
export type StreamedImage =
  | { readonly path: string; readonly image: Image }
  | {
      readonly path: string;
      /** The error, without the file's name. */
      readonly error: string;
    };

/** Options of a stream of images. */
export interface ImageStreamOptions extends Pick<ImageWorkersOptions, "threads" | "module"> {
  /** Images come no larger than this needs them. */
  readonly fitting: Fitting;
  /** So many files are decoded together. */
  readonly atATime: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Decodes files, `atATime` together and the next ones while those are used; there are never more in memory. A file that cannot be read does not
 * keep others from it.
 *
 * Throws DataError naming the files if a thread dies; the signal's reason if that is aborted.
 */
export async function* streamImages(
  files: readonly ImageJob[],
  { fitting, atATime, signal, module, threads = availableParallelism() }: ImageStreamOptions,
): AsyncGenerator<readonly StreamedImage[]> {
  const workers = createImageWorkers({ fitting, module, threads: Math.min(threads, files.length) });
  let next = decodeAll(workers, files.slice(0, atATime), signal);
  try {
    for (let start = 0; start < files.length; start += atATime) {
      const images = await next;
      next = decodeAll(workers, files.slice(start + atATime, start + 2 * atATime), signal);
      // Whoever leaves before they are used need not know that it failed.
      next.catch(() => {});
      yield images;
    }
  } finally {
    await next.catch(() => {});
    await workers.close();
  }
}

async function decodeAll(
  workers: ImageWorkers,
  files: readonly ImageJob[],
  signal: AbortSignal | undefined,
): Promise<readonly StreamedImage[]> {
  const images: StreamedImage[] = [];
  for await (const { index, path, outcome } of workers.run(files, signal)) {
    const image = outcome.decoded?.kept?.image;
    images[index] = image ? { path, image } : { path, error: outcome.error ?? "it could not be read" };
  }
  return images;
}
