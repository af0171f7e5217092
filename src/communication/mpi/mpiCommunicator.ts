/** The communicator of a process of an MPI job. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Communicator } from "../../engine/communicator.ts";
import { NativeError } from "../../errors.ts";
import { moduleUrl } from "../../packageRoot.ts";
import { startOf } from "../../workerModule.ts";
import { CONTROL_BYTES, type Control, openControl, PIECE_BYTES } from "./control.ts";
import { bytesOf, createQueue } from "./exchangeQueue.ts";
import type { Started, ThreadData } from "./thread.ts";

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
  const queue = createQueue(control, size);
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
    scatterSum: queue.scatterSum,
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
