/** Memory shared by the main thread, which asks for exchanges, and the thread that calls MPI. */

/** Exit code of a job that ends because a process is silent or hangs. */
export const SILENT_EXIT = 4;

/** Largest number of bytes of one exchange that sums or shares: longer arrays are cut. */
export const PIECE_BYTES = 4 * 2 ** 20;

/** Kinds of exchanges. */
export const kinds = {
  sumFloat: 0,
  sumDouble: 1,
  gather: 2,
  share: 3,
  close: 4,
  reduceFloat: 5,
  reduceDouble: 6,
} as const;

/** State of the main thread. */
export const states = { working: 0, blocked: 1, patient: 2 } as const;

/** An exchange that was asked for. `count` is a number of values for sums, of bytes otherwise. */
export interface Exchange {
  readonly kind: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly count: number;
  /** Process that receives a reduction; 0 for other kinds. */
  readonly root: number;
}

const CAPACITY = 1024;
const FIELDS = 5;
/** Words of the header. */
const [ISSUED, COMPLETED, STATE, ITERATION, NAP] = [0, 1, 2, 3, 4];
const HEADER = 8;

/** Bytes of the memory. */
export const CONTROL_BYTES = 4 * HEADER + 8 * FIELDS * CAPACITY;

/** A queue of exchanges in order, with counters that each thread sees. */
export function openControl(memory: SharedArrayBuffer) {
  const words = new Int32Array(memory, 0, HEADER);
  const ring = new BigInt64Array(memory, 4 * HEADER);
  const load = (word: number) => Atomics.load(words, word);
  const bump = (word: number) => {
    Atomics.add(words, word, 1);
    Atomics.notify(words, word);
  };
  return {
    /** Number of exchanges asked for, and completed; they wrap after 2^32. */
    issued: () => load(ISSUED),
    completed: () => load(COMPLETED),
    /** Number of exchanges that are not completed. */
    pending: () => (load(ISSUED) - load(COMPLETED)) | 0,
    state: () => load(STATE),
    setState: (state: number) => void Atomics.store(words, STATE, state),
    iteration: () => load(ITERATION),
    setIteration: (iteration: number) => void Atomics.store(words, ITERATION, iteration),
    isFull: () => ((load(ISSUED) - load(COMPLETED)) | 0) >= CAPACITY,
    issue(kind: number, from: bigint, to: bigint, count: number, root = 0): void {
      const at = ((load(ISSUED) >>> 0) % CAPACITY) * FIELDS;
      ring[at] = BigInt(kind);
      ring[at + 1] = from;
      ring[at + 2] = to;
      ring[at + 3] = BigInt(count);
      ring[at + 4] = BigInt(root);
      bump(ISSUED);
    },
    /** The exchange number `n`, from 0. */
    read(n: number): Exchange {
      const at = ((n >>> 0) % CAPACITY) * FIELDS;
      const field = (i: number) => BigInt.asUintN(64, ring[at + i] as bigint);
      const [kind, count, root] = [Number(field(0)), Number(field(3)), Number(field(4))];
      return { kind, from: field(1), to: field(2), count, root };
    },
    complete: () => bump(COMPLETED),
    /** Waits until another exchange is completed; at most one second. */
    waitForCompletion: (seen: number) => void Atomics.wait(words, COMPLETED, seen, 1000),
    /** Waits until another exchange is asked for. */
    waitForIssue: (seen: number, milliseconds: number) => void Atomics.wait(words, ISSUED, seen, milliseconds),
    nap: (milliseconds: number) => void Atomics.wait(words, NAP, 0, milliseconds),
  };
}

export type Control = ReturnType<typeof openControl>;
