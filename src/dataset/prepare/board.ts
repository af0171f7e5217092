/**
 * Shared state of preparation threads: the images to prepare, and their assignment to threads. It lies in shared memory, so that a batch is
 * distributed and completed without messages.
 */
import { AlexNetError } from "../../errors.ts";
import type { Image } from "../../image/image.ts";
import type { Corner, View } from "../../image/prepare/views.ts";

/** Words of the header. */
const word = {
  generation: 0,
  remaining: 1,
  done: 2,
  ready: 3,
  epoch: 4,
  corner: 5,
  flip: 6,
  target: 7,
  rows: 8,
  failed: 9,
} as const;
const HEAD = 10;
/** Words of a row. */
const column = { use: 0, memory: 1, width: 2, height: 3, channels: 4, bytes: 5, state: 6 } as const;
const COLUMNS = 7;
/** A process that was suspended for a while sees one timeout, not three. */
const SILENCE_MS = 5000;
const SILENCES = 3;
const WAITING = 0;
const DONE = 1;
const FAILED = 2;

const corners: readonly (Corner | undefined)[] = [undefined, [0, 0], [1, 0], [0, 1], [1, 1]];

/** Properties common to all images of an offer. */
export interface Offer {
  /** Training epoch; undefined without random augmentation. */
  readonly epoch: number | undefined;
  readonly view: View;
  /** Target of the images: number of a shared memory, and byte offset of the first image in it. */
  readonly target: number;
  readonly targetOffset: number;
}

/** One image: its use number in the epoch, and the location of its pixels. */
export interface BoardRow {
  readonly use: number;
  readonly image: Omit<Image, "data">;
  /** Number of the shared memory, and the offset of the pixels in it. */
  readonly memory: number;
  readonly offset: number;
  readonly bytes: number;
}

/** The board, as each thread sees it. */
export interface Board {
  readonly memory: SharedArrayBuffer;
  /** Writes image `row` of the next offer. */
  write(row: number, image: BoardRow): void;
  /** Offers `rows` images to all threads. Call it only after all images of the previous offer are done. */
  offer(rows: number, offer: Offer): void;
  /** Takes an image that no thread has taken; undefined if there is none. */
  take(): number | undefined;
  read(row: number): BoardRow;
  current(): Offer;
  /** Marks an image as prepared or failed. */
  finish(row: number, isPrepared: boolean): void;
  /** Waits until all images are done, and returns those that failed. Throws AlexNetError if the threads have died. */
  waitForAll(): readonly number[];
  /** Registers another thread. */
  join(): void;
  /** Number of registered threads. */
  joined(): number;
  /** Waits for an offer later than this number, and returns the number of the current offer. */
  waitForOffer(after: number): number;
}

/** Creates a board with this number of rows, or wraps an existing one. */
export function createBoard(rows: number, given?: SharedArrayBuffer): Board {
  const tableBytes = 4 * (HEAD + rows * COLUMNS);
  const offsetsStart = Math.ceil(tableBytes / 8) * 8;
  const memory = given ?? new SharedArrayBuffer(offsetsStart + 8 * (rows + 1));
  const words = new Int32Array(memory, 0, HEAD + rows * COLUMNS);
  /** Memory numbers of each row, then of the target. */
  const offsets = new Float64Array(memory, offsetsStart, rows + 1);
  const at = (row: number) => HEAD + row * COLUMNS;
  return {
    memory,
    write(row, { use, image, memory, offset, bytes }) {
      const start = at(row);
      words[start + column.use] = use;
      words[start + column.memory] = memory;
      words[start + column.width] = image.width;
      words[start + column.height] = image.height;
      words[start + column.channels] = image.channels;
      words[start + column.bytes] = bytes;
      words[start + column.state] = WAITING;
      offsets[row] = offset;
    },
    offer(count, { epoch, view, target, targetOffset }) {
      words[word.epoch] = epoch ?? -1;
      words[word.corner] = corners.findIndex((corner) => String(corner) === String(view.corner));
      words[word.flip] = view.flip ? 1 : 0;
      words[word.target] = target;
      words[word.rows] = count;
      offsets[rows] = targetOffset;
      Atomics.store(words, word.failed, 0);
      Atomics.store(words, word.done, 0);
      // Written last: a thread that sees a remaining image also sees the rest.
      Atomics.store(words, word.remaining, count);
      Atomics.add(words, word.generation, 1);
      Atomics.notify(words, word.generation);
    },
    take() {
      const remaining = Atomics.sub(words, word.remaining, 1);
      return remaining > 0 ? (words[word.rows] as number) - remaining : undefined;
    },
    read(row) {
      const start = at(row);
      const value = (name: keyof typeof column) => words[start + column[name]] as number;
      const channels = value("channels") === 3 ? 3 : 1;
      return {
        use: value("use") >>> 0,
        image: { width: value("width"), height: value("height"), channels },
        memory: value("memory"),
        bytes: value("bytes"),
        offset: offsets[row] as number,
      };
    },
    current() {
      const epoch = words[word.epoch] as number;
      return {
        epoch: epoch < 0 ? undefined : epoch,
        view: { corner: corners[words[word.corner] as number], flip: words[word.flip] === 1 },
        target: words[word.target] as number,
        targetOffset: offsets[rows] as number,
      };
    },
    finish(row, isPrepared) {
      Atomics.store(words, at(row) + column.state, isPrepared ? DONE : FAILED);
      if (!isPrepared) Atomics.add(words, word.failed, 1);
      Atomics.add(words, word.done, 1);
      Atomics.notify(words, word.done);
    },
    waitForAll() {
      let silences = 0;
      for (;;) {
        const done = Atomics.load(words, word.done);
        if (done === words[word.rows]) break;
        silences = Atomics.wait(words, word.done, done, SILENCE_MS) === "timed-out" ? silences + 1 : 0;
        if (silences === SILENCES)
          throw new AlexNetError(
            `preparing: threads are silent; expected ${words[word.rows]} images, got ${done}; resume with --resume, or use --threads 1`,
          );
      }
      if (Atomics.load(words, word.failed) === 0) return [];
      const all = Array.from({ length: words[word.rows] as number }, (_, row) => row);
      return all.filter((row) => Atomics.load(words, at(row) + column.state) === FAILED);
    },
    join: () => void Atomics.add(words, word.ready, 1),
    joined: () => Atomics.load(words, word.ready),
    waitForOffer(after) {
      Atomics.wait(words, word.generation, after);
      return Atomics.load(words, word.generation);
    },
  };
}
