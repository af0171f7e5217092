/**
 * Thread of an engine process that owns the pipe to the server: it receives and normalizes images while the other thread computes, and gives signs of
 * life, which end if the process is stopped.
 */
import { Socket } from "node:net";
import { type MessagePort, workerData } from "node:worker_threads";
import { sizeOf } from "../shape.ts";
import { PIPE } from "./engineFacts.ts";
import { BUSY_SINCE, type FromEngine, now, type ToEngine } from "./engineMessages.ts";
import { createPixelInput, type PixelInput } from "./pixelInput.ts";
import { answerKinds, createFrameReader, type Frame, headerOf, requestKinds } from "./wire.ts";

/** Milliseconds between two signs of life. */
const BEAT = 250;

const { clock, port } = workerData as { readonly clock: SharedArrayBuffer; readonly port: MessagePort };
const busySince = new BigInt64Array(clock);
const pipe = new Socket({ fd: PIPE, readable: true, writable: true });
const slots: Float32Array[] = [];
const free: number[] = [];
let input: { readonly values: number; readonly write: PixelInput } | undefined;

const text = new TextEncoder();

function send(kind: number, id: number, count: number, payload: Uint8Array): void {
  pipe.cork();
  pipe.write(headerOf(kind, id, count, payload.length));
  if (payload.length > 0) pipe.write(payload);
  pipe.uncork();
}

function post(message: ToEngine): void {
  port.postMessage(message);
}

/** A free slot, or a new one. */
function takeSlot(values: number): number {
  const index = free.pop();
  if (index !== undefined) return index;
  const slot = new SharedArrayBuffer(4 * values);
  post({ slot });
  return slots.push(new Float32Array(slot)) - 1;
}

function accept({ kind, id, count, payload }: Frame): void {
  if (kind === requestKinds.cancel) {
    post({ cancel: id });
    return;
  }
  if (!input) throw new Error("engine process: expected images after the network is ready");
  const { values, write } = input;
  const bytes = payload.length / count;
  const taken = Array.from({ length: count }, (_, i) => {
    const index = takeSlot(values);
    const slot = slots[index] as Float32Array;
    const own = payload.subarray(i * bytes, (i + 1) * bytes);
    if (kind === requestKinds.pixels) write(own, slot);
    else new Uint8Array(slot.buffer).set(own);
    return index;
  });
  post({ id, slots: taken, at: now() });
}

port.on("message", (message: FromEngine) => {
  if ("ready" in message) {
    const { model } = message.ready;
    input = { values: sizeOf(model.network.input), write: createPixelInput(model.preprocessing) };
    return send(answerKinds.ready, 0, 0, text.encode(JSON.stringify(message.ready)));
  }
  if ("note" in message) return send(answerKinds.note, 0, 0, text.encode(message.note));
  if ("failure" in message) {
    send(answerKinds.failure, 0, 0, text.encode(message.failure));
    // Ends this thread; the other one then ends the process.
    return void pipe.end(() => process.exit());
  }
  const { id, slots: used, probabilities, error } = message;
  free.push(...used);
  if (probabilities) send(answerKinds.probabilities, id, used.length, new Uint8Array(probabilities.buffer));
  else send(answerKinds.refusal, id, 0, text.encode(error ?? ""));
});

/** One payload at a time: `accept` copies it. */
let payloads = new Uint8Array(0);
const payloadMemory = (_kind: number, _count: number, bytes: number) => {
  if (payloads.length < bytes) payloads = new Uint8Array(bytes);
  return payloads.subarray(0, bytes);
};
pipe.on("data", createFrameReader(accept, payloadMemory));
// The server has ended. The other thread may be computing, so that only a signal ends the process now.
const end = () => process.kill(process.pid, "SIGKILL");
pipe.on("error", end);
pipe.on("end", end);

setInterval(() => {
  const since = Number(Atomics.load(busySince, BUSY_SINCE));
  send(answerKinds.beat, since === 0 ? 0 : Math.max(0, now() - since), 0, new Uint8Array());
}, BEAT);
