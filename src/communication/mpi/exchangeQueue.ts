/** Exchanges that the main thread asks for: their order, their memory, and the wait for them. */
import { setTimeout } from "node:timers/promises";
import type { ExchangedValues } from "../../engine/communicator.ts";
import { type Control, kinds, PIECE_BYTES, states } from "./control.ts";
import { addressOf } from "./library.ts";

/** Arrays of at most this many bytes pass through memory that does not move: V8 moves the smallest ones. */
const STAGED_BYTES = 4096;
const STAGING_BYTES = 2 ** 20;
/** Milliseconds between polls of an exchange that `agree` waits for: the first interval and the longest. */
const [FIRST_POLL, LONGEST_POLL] = [1, 20];

/** Asks for exchanges of `size` processes and waits for them. */
export function createQueue(control: Control, size: number) {
  const staging = createStaging();
  /** Arrays in use, which must not be collected before the exchange ends. */
  const used: ExchangedValues[] = [];
  let bytes = 0;
  let waitedSeconds = 0;
  const finish = () => {
    staging.finish();
    used.length = 0;
  };
  const isDone = () => control.pending() === 0;
  /** Blocks until completed exchanges bring about a condition. */
  const blockUntil = (isReached: () => boolean) => {
    const began = performance.now();
    control.setState(states.blocked);
    for (let seen = control.completed(); !isReached(); seen = control.completed()) control.waitForCompletion(seen);
    control.setState(states.working);
    waitedSeconds += (performance.now() - began) / 1000;
  };
  const wait = () => {
    blockUntil(isDone);
    finish();
  };
  const issue = (kind: number, from: bigint, to: bigint, count: number, root = 0) => {
    if (control.isFull()) blockUntil(() => !control.isFull());
    control.issue(kind, from, to, count, root);
  };
  /** The address of an array; `use` says whether it is read, written or both. */
  const place = (values: ExchangedValues, use: StagedUse): bigint => {
    if (use !== "write") bytes += values.byteLength;
    if (isStaged(values)) return staging.place(values, use);
    used.push(values);
    return addressOf(values);
  };
  /** Waits unless all arrays of an exchange fit. Between them it must not wait: that would release those placed before. */
  const makeRoom = (...arrays: readonly ExchangedValues[]) => {
    if (!staging.fits(arrays)) wait();
  };
  return {
    wait,
    sum(values: Float32Array | Float64Array): void {
      const kind = values instanceof Float32Array ? kinds.sumFloat : kinds.sumDouble;
      makeRoom(values);
      const address = place(values, "both");
      const [width, length] = [values.BYTES_PER_ELEMENT, values.length];
      const piece = PIECE_BYTES / width;
      for (let at = 0; at < length; at += piece) {
        issue(kind, address + BigInt(at * width), 0n, Math.min(piece, length - at));
      }
    },
    gather(own: ExchangedValues, all: ExchangedValues): void {
      makeRoom(own, all);
      const from = place(own, "read");
      issue(kinds.gather, from, place(all, "write"), own.byteLength);
    },
    /** Reduces part after part to its process, in pieces: in one call, the libraries cannot be given pieces of all parts. */
    scatterSum(all: Float32Array | Float64Array, own: Float32Array | Float64Array): void {
      const kind = all instanceof Float32Array ? kinds.reduceFloat : kinds.reduceDouble;
      makeRoom(all, own);
      const [from, to] = [place(all, "read"), place(own, "write")];
      const [width, length] = [own.BYTES_PER_ELEMENT, own.length];
      const piece = PIECE_BYTES / width;
      for (let root = 0; root < size; root++) {
        for (let at = 0; at < length; at += piece) {
          const [source, target] = [(root * length + at) * width, at * width];
          issue(kind, from + BigInt(source), to + BigInt(target), Math.min(piece, length - at), root);
        }
      }
    },
    share(values: ExchangedValues): void {
      makeRoom(values);
      const address = place(values, "both");
      for (let at = 0; at < values.byteLength; at += PIECE_BYTES) {
        issue(kinds.share, address + BigInt(at), 0n, Math.min(PIECE_BYTES, values.byteLength - at));
      }
    },
    /** Waits without a limit, while timers and signals run. */
    async settle(): Promise<void> {
      control.setState(states.patient);
      for (let interval = FIRST_POLL; !isDone(); interval = Math.min(2 * interval, LONGEST_POLL))
        await setTimeout(interval);
      control.setState(states.working);
      finish();
    },
    traffic: () => ({ bytes, waitedSeconds }),
    end: () => issue(kinds.close, 0n, 0n, 0),
  };
}

function isStaged({ byteLength }: ExchangedValues): boolean {
  return byteLength <= STAGED_BYTES;
}

/** Bytes of an array in staging memory: whole f64 words. */
function stagedBytes({ byteLength }: ExchangedValues): number {
  return (byteLength + 7) & ~7;
}

type StagedUse = "read" | "write" | "both";

/** Fixed memory for small arrays, until the exchanges end. */
function createStaging() {
  const memory = new Uint8Array(new SharedArrayBuffer(STAGING_BYTES));
  const address = addressOf(memory);
  const written: { readonly values: ExchangedValues; readonly from: number }[] = [];
  let end = 0;
  return {
    fits: (arrays: readonly ExchangedValues[]) =>
      arrays.filter(isStaged).reduce((sum, values) => sum + stagedBytes(values), end) <= STAGING_BYTES,
    place(values: ExchangedValues, use: StagedUse): bigint {
      const from = end;
      end += stagedBytes(values);
      if (use !== "write") memory.set(bytesOf(values), from);
      if (use !== "read") written.push({ values, from });
      return address + BigInt(from);
    },
    /** Copies results to their arrays. */
    finish(): void {
      for (const { values, from } of written.splice(0)) {
        bytesOf(values).set(memory.subarray(from, from + values.byteLength));
      }
      end = 0;
    },
  };
}

/** The bytes of an array. */
export function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
