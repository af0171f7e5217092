/** Helper threads of batch preparation. */
import { Worker } from "node:worker_threads";
import { moduleUrl } from "../../packageRoot.ts";
import { startOf } from "../../workerModule.ts";
import { createBoard } from "./board.ts";
import { type PreparationJob, prepareFromBoard, type RowOptions, type RowPreparer } from "./rows.ts";

/** Start data of a helper thread. */
export interface HelperData {
  readonly options: RowOptions;
  readonly board: SharedArrayBuffer;
  /** Number of images in a batch. */
  readonly rows: number;
  /** Number of values of a prepared image. */
  readonly imageSize: number;
}

/** Message to a helper thread: a shared memory with its number, and the number of one that is no longer used. */
export interface NumberedMemory {
  readonly number: number;
  readonly memory: SharedArrayBuffer;
  readonly forgotten: number | undefined;
}

/** Threads that help to prepare batches. */
export interface Helpers {
  /** Prepares a batch. Returns false, without preparing it, if no thread has started yet. Throws the preprocessor's errors. */
  prepare(job: PreparationJob): boolean;
  close(): void;
}

/** Starts threads for batches of `rows` images; `prepareRow` runs on the calling thread. */
export function createHelpers(
  { preprocessing, random }: RowOptions,
  prepareRow: RowPreparer,
  threads: number,
  rows: number,
): Helpers {
  const board = createBoard(rows);
  const { channels, size } = preprocessing;
  const imageSize = channels * size[0] * size[1];
  const workerData: HelperData = { options: { preprocessing, random }, board: board.memory, rows, imageSize };
  const workers = Array.from({ length: threads }, () => {
    const worker = new Worker(startOf(moduleUrl("dataset/prepare/thread")), { workerData });
    // Without helper threads preparation is only slower.
    worker.on("error", () => {});
    worker.unref();
    return worker;
  });
  const memories = numberMemories(workers);
  const staging = createStaging();
  /** Writes the location of each image to the board. */
  const writeJob = ({ split, indices, uses, count }: PreparationJob) => {
    staging.begin();
    for (let row = 0; row < count; row++) {
      const { data, ...image } = split.image(indices[row] as number);
      const { buffer, byteOffset: offset, length: bytes } = isShared(data) ? data : staging.copy(data, count);
      board.write(row, { use: uses[row] as number, image, memory: memories.numberOf(buffer), offset, bytes });
    }
  };
  return {
    prepare(job) {
      const { count, epoch, view, images, indices, uses } = job;
      if (board.joined() === 0 || indices.length !== rows || !isShared(images)) return false;
      writeJob(job);
      board.offer(count, { epoch, view, target: memories.numberOf(images.buffer), targetOffset: images.byteOffset });
      prepareFromBoard(board, prepareRow, imageSize, memories.of);
      for (const row of board.waitForAll()) {
        const image = job.split.image(indices[row] as number);
        prepareRow(image, uses[row] as number, epoch, view, images, row * imageSize);
      }
      return true;
    },
    close() {
      for (const worker of workers) void worker.terminate();
    },
  };
}

/** Upper bound for one batch: two buffers read ahead, one for copies with its smaller predecessors, and the batch's own. */
const KEPT_MEMORIES = 8;

/** Numbers the memories that threads know; forgets those not used for a long time. */
function numberMemories(workers: readonly Worker[]) {
  /** The most recently used comes last. */
  const numbers = new Map<SharedArrayBuffer, number>();
  const known = new Map<number, SharedArrayBuffer>();
  let next = 0;
  const add = (memory: SharedArrayBuffer) => {
    const number = next++;
    const [oldest] = numbers;
    const forgotten = numbers.size === KEPT_MEMORIES ? oldest : undefined;
    if (forgotten) {
      numbers.delete(forgotten[0]);
      known.delete(forgotten[1]);
    }
    known.set(number, memory);
    for (const worker of workers)
      worker.postMessage({ number, memory, forgotten: forgotten?.[1] } satisfies NumberedMemory);
    return number;
  };
  return {
    of: (number: number) => known.get(number) as SharedArrayBuffer,
    numberOf(memory: SharedArrayBuffer): number {
      const number = numbers.get(memory) ?? add(memory);
      numbers.delete(memory);
      numbers.set(memory, number);
      return number;
    },
  };
}

/** Shared memory for images of a batch that are not in shared memory. */
function createStaging() {
  let memory = new Uint8Array(new SharedArrayBuffer(0));
  let used = 0;
  return {
    begin() {
      used = 0;
    },
    /** Copies made since `begin` stay in place. `images` is the expected number of images of about this length. */
    copy(data: Uint8Array, images: number): Uint8Array<SharedArrayBuffer> {
      if (used + data.length > memory.length) {
        memory = new Uint8Array(new SharedArrayBuffer(Math.max(2 * memory.length, data.length * images)));
        used = 0;
      }
      const place = memory.subarray(used, used + data.length);
      place.set(data);
      used += data.length;
      return place;
    },
  };
}

function isShared<A extends Uint8Array | Float32Array>(array: A): array is A & { readonly buffer: SharedArrayBuffer } {
  return array.buffer instanceof SharedArrayBuffer;
}
