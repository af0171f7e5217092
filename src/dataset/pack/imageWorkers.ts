/** Image worker threads with a bounded number of results in flight, and a stream of images decoded by them in order. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { DataError, messageOf } from "../../errors.ts";
import type { Image } from "../../image/image.ts";
import type { Fitting } from "../../image/prepare/fitter.ts";
import { moduleUrl } from "../../packageRoot.ts";
import { startOf } from "../../workerModule.ts";
import type { ImageJob, ImageOutcome, JobChunk, OutcomeChunk } from "./imageJob.ts";

/** Options of worker threads. */
export interface ImageWorkersOptions {
  /** If given, images are fitted wherever that makes them smaller. */
  readonly fitting?: Fitting | undefined;
  /** Default: one per core. */
  readonly threads?: number | undefined;
  /** Module that threads run; tests replace it. */
  readonly module?: URL | undefined;
}

/** Result of a job. */
export interface ImageResult {
  /** Index of the job. */
  readonly index: number;
  readonly path: string;
  readonly outcome: ImageOutcome;
}

/** Threads that read and decode image files. */
interface ImageWorkers {
  /**
   * Runs all jobs, in any order. Jobs are taken as needed, and their number in flight is bounded, so that a slow consumer does not fill the memory.
   * One run at a time.
   *
   * Throws DataError naming the files that were being decoded if a thread dies, and the signal's reason if it is aborted.
   */
  run(jobs: Iterable<ImageJob>, signal?: AbortSignal): AsyncIterable<ImageResult>;
  close(): Promise<void>;
}

/** Enough that other jobs keep a core busy while one waits for the disk or the consumer. */
const CHUNKS_PER_THREAD = 3;
/** Limits on the jobs sent together, so that messages cost little even for the smallest images. */
const CHUNK_BYTES = 256 * 1024;
const CHUNK_JOBS = 32;
const USUAL_BYTES = 64 * 1024;

/** Starts threads, which the caller must close. */
export function createImageWorkers(options: ImageWorkersOptions = {}): ImageWorkers {
  const { fitting, threads = availableParallelism(), module = moduleUrl("dataset/pack/imageWorker") } = options;
  const inbox = createInbox();
  const workers = Array.from({ length: threads }, () => new Worker(startOf(module), { workerData: { fitting } }));
  for (const worker of workers) {
    worker.on("message", (chunk: OutcomeChunk) => inbox.put(chunk));
    worker.on("error", (error: unknown) => inbox.fail(worker, messageOf(error)));
    worker.on("exit", (code) => inbox.fail(worker, `exit code ${code}`));
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
      if (!chunk) continue; // From an earlier, abandoned run.
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
    `decoding: a thread died (${reason}) on one of these files: ${named.join(", ")}; remove them, or use fewer threads`,
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
  /** Resolves at the next `put`, `fail` or `wake`. */
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
      /** Error, without the file's name. */
      readonly error: string;
    };

/** Options of a stream of images. */
export interface ImageStreamOptions extends Pick<ImageWorkersOptions, "threads" | "module"> {
  /** Images are reduced to the size that this fitting needs. */
  readonly fitting: Fitting;
  /** Number of files decoded together. */
  readonly atATime: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Decodes files, `atATime` together, and the next ones while those are used; this bounds the images in memory. An unreadable file does not stop the
 * others.
 *
 * Throws DataError naming the files if a thread dies, and the signal's reason if it is aborted.
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
      // A consumer that stops early does not need the error.
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
    images[index] = image ? { path, image } : { path, error: outcome.error ?? "it was not decoded" };
  }
  return images;
}
