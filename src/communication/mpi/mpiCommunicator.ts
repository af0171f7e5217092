/** The communicator of a process of an MPI job. */
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Communicator, ExchangedValues } from "../../engine/communicator.ts";
import { NativeError } from "../../errors.ts";
import { moduleUrl } from "../../packageRoot.ts";
import { startOf } from "../../workerModule.ts";
import { CONTROL_BYTES, type Control, kinds, openControl, PIECE_BYTES, states } from "./control.ts";
import { addressOf } from "./library.ts";
import type { Started, ThreadData } from "./thread.ts";

/** Arrays of at most this many bytes pass through memory that does not move: V8 moves the smallest ones. */
const STAGED_BYTES = 4096;
const STAGING_BYTES = 2 ** 20;
/** Milliseconds between two looks at an exchange that `agree` waits for, from the first one on. */
const [FIRST_LOOK, LAST_LOOK] = [1, 20];

/** Starts MPI in a thread of its own. Throws NativeError if there is no MPI, or it cannot start. `timeout` in seconds. */
export async function startMpi(timeout: number): Promise<Communicator> {
  const memory = new SharedArrayBuffer(CONTROL_BYTES);
  const workerData: ThreadData = { control: memory, timeout };
  const worker = new Worker(startOf(moduleUrl("communication/mpi/thread")), { workerData });
  const [started] = (await once(worker, "message")) as [Started];
  if ("problem" in started) throw new NativeError(started.problem);
  return communicatorOf(worker, openControl(memory), started);
}

function communicatorOf(
  worker: Worker,
  control: Control,
  { rank, size, name, version }: Extract<Started, { readonly rank: number }>,
): Communicator {
  const queue = createQueue(control);
  const exchangeBytes = async (own: Uint8Array): Promise<Uint8Array> => {
    const all = new Uint8Array(size * own.length);
    queue.gather(own, all);
    await queue.settle();
    return all;
  };
  return {
    rank,
    size,
    description: `${name} ${version}, ${size} processes`,
    library: { name, version, pieceBytes: PIECE_BYTES },
    sum: queue.sum,
    gather: queue.gather,
    share: queue.share,
    wait: queue.wait,
    async agree<T>(value: T) {
      const own = new TextEncoder().encode(JSON.stringify(value ?? null));
      const lengths = new Uint32Array((await exchangeBytes(bytesOf(Uint32Array.of(own.length)))).buffer);
      const longest = Math.max(...lengths);
      const padded = new Uint8Array(longest);
      padded.set(own);
      const all = await exchangeBytes(padded);
      const textOf = (length: number, r: number) => all.subarray(r * longest, r * longest + length);
      return Array.from(lengths, (length, r): T => JSON.parse(new TextDecoder().decode(textOf(length, r))));
    },
    traffic: queue.traffic,
    reached: (iteration) => control.setIteration(iteration),
    async close() {
      const exit = once(worker, "exit");
      queue.end();
      await exit;
    },
    abandon: () => void worker.terminate(),
  };
}

/** Asks for exchanges and waits for them. */
function createQueue(control: Control) {
  const staging = createStaging();
  /** Arrays in use, which must not be collected before the exchange ends. */
  const used: ExchangedValues[] = [];
  const waitForRoom = () => {
    while (control.isFull()) control.waitForCompletion(control.completed());
  };
  let bytes = 0;
  let waitedSeconds = 0;
  const issue = (kind: number, from: bigint, to: bigint, count: number) => {
    waitForRoom();
    control.issue(kind, from, to, count);
  };
  const isDone = () => control.pending() === 0;
  const finish = () => {
    staging.finish();
    used.length = 0;
  };
  const wait = () => {
    const began = performance.now();
    control.setState(states.blocked);
    for (let seen = control.completed(); !isDone(); seen = control.completed()) control.waitForCompletion(seen);
    control.setState(states.working);
    finish();
    waitedSeconds += (performance.now() - began) / 1000;
  };
  /** The address of an array; `use` says whether it is read, written or both. */
  const place = (values: ExchangedValues, use: StagedUse): bigint => {
    if (use !== "write") bytes += values.byteLength;
    if (values.byteLength > STAGED_BYTES) {
      used.push(values);
      return addressOf(values);
    }
    if (!staging.fits(values.byteLength)) wait();
    return staging.place(values, use);
  };
  return {
    wait,
    sum(values: Float32Array | Float64Array): void {
      const kind = values instanceof Float32Array ? kinds.sumFloat : kinds.sumDouble;
      const address = place(values, "both");
      const [width, length] = [values.BYTES_PER_ELEMENT, values.length];
      const piece = PIECE_BYTES / width;
      for (let at = 0; at < length; at += piece) {
        issue(kind, address + BigInt(at * width), 0n, Math.min(piece, length - at));
      }
    },
    gather(own: ExchangedValues, all: ExchangedValues): void {
      const from = place(own, "read");
      issue(kinds.gather, from, place(all, "write"), own.byteLength);
    },
    share(values: ExchangedValues): void {
      const address = place(values, "both");
      for (let at = 0; at < values.byteLength; at += PIECE_BYTES) {
        issue(kinds.share, address + BigInt(at), 0n, Math.min(PIECE_BYTES, values.byteLength - at));
      }
    },
    /** Waits without a limit, while timers and signals run. */
    async settle(): Promise<void> {
      control.setState(states.patient);
      for (let look = FIRST_LOOK; !isDone(); look = Math.min(2 * look, LAST_LOOK)) await setTimeout(look);
      control.setState(states.working);
      finish();
    },
    traffic: () => ({ bytes, waitedSeconds }),
    end: () => issue(kinds.close, 0n, 0n, 0),
  };
}

type StagedUse = "read" | "write" | "both";

/** Fixed memory for small arrays, until the exchanges end. */
function createStaging() {
  const memory = new Uint8Array(new SharedArrayBuffer(STAGING_BYTES));
  const address = addressOf(memory);
  const written: { readonly values: ExchangedValues; readonly from: number }[] = [];
  let end = 0;
  return {
    fits: (bytes: number) => end + bytes <= STAGING_BYTES,
    place(values: ExchangedValues, use: StagedUse): bigint {
      const from = end;
      end += (values.byteLength + 7) & ~7;
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

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
