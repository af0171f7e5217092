/** Process that computes the batches of one served network. Its other thread, `engineChannel.ts`, exchanges data with the server. */
import { setTimeout } from "node:timers/promises";
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { AlexNetError, messageOf } from "../errors.ts";
import { foreignModels } from "../exchange/foreignModels.ts";
import { type ClassModel, type OpenOptions, openClassModel } from "../model/openModel.ts";
import { predictProbabilities } from "../model/predictRows.ts";
import { moduleUrl } from "../packageRoot.ts";
import { sizeOf } from "../shape.ts";
import { startOf } from "../workerModule.ts";
import { type BatchCost, batchSizes, planBatch } from "./batchPlan.ts";
import { type EngineSource, SOURCE_VARIABLE } from "./engineFacts.ts";
import { BUSY_SINCE, type FromEngine, now, type ToEngine } from "./engineMessages.ts";

// The server ends this process; a signal to its group is meant for the server.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const) process.on(name, () => undefined);

const source = JSON.parse(process.env[SOURCE_VARIABLE] ?? "") as EngineSource;
const { port1: port, port2 } = new MessageChannel();
const clock = new SharedArrayBuffer(8);
const busySince = new BigInt64Array(clock);
const channel = new Worker(startOf(moduleUrl("server/engineChannel")), {
  workerData: { clock, port: port2 },
  transferList: [port2],
});
channel.on("exit", () => process.exit(1));

function post(message: FromEngine, memory: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, memory);
}

interface Request {
  readonly id: number;
  readonly slots: readonly number[];
  readonly at: number;
}

const slots: Float32Array[] = [];
let waiting: Request[] = [];
let wake = () => {};

function take(message: ToEngine): void {
  if ("slot" in message) slots.push(new Float32Array(message.slot));
  else if ("cancel" in message) cancel(message.cancel);
  else waiting.push(message);
  wake();
}

function cancel(id: number): void {
  const request = waiting.find((each) => each.id === id);
  if (!request) return;
  waiting = waiting.filter((each) => each !== request);
  post({ id, slots: request.slots, error: "" });
}

/** Receives messages that arrived during a computation, which blocks the event loop. */
function receive(): void {
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) take(next.message as ToEngine);
}

/** An open program with the time of its calls: a mean in which older calls count less. */
interface Opened extends BatchCost {
  readonly model: ClassModel;
  milliseconds: number;
}

const opened: Opened[] = [];

async function open(batchSize: number, options: OpenOptions): Promise<void> {
  const model = await openClassModel(source.path, { ...options, batchSize });
  opened.push({ model, size: batchSize, milliseconds: batchSize });
}

/** Removes the next batch from the queue: whole requests, in order. Empty if it is better to wait. */
function takeBatch(): readonly Request[] {
  const limit = opened[0]?.model.isRandom ? 1 : source.maxBatch;
  let images = 0;
  let count = 0;
  for (const request of waiting) {
    if (count > 0 && images + request.slots.length > limit) break;
    images += request.slots.length;
    count++;
  }
  const isFull = images >= limit || count < waiting.length;
  if (!isFull && timeLeft() > 0) return [];
  return waiting.splice(0, count);
}

/** Milliseconds until the oldest request has waited long enough. */
function timeLeft(): number {
  const [first] = waiting;
  return first ? first.at + source.maxWait - now() : Number.POSITIVE_INFINITY;
}

async function compute(batch: readonly Request[]): Promise<void> {
  const images = batch.flatMap((request) => request.slots);
  const rows: (Float64Array | string)[] = [];
  const isRandom = opened[0]?.model.isRandom === true;
  for (const index of isRandom ? images.map(() => 0) : planBatch(images.length, opened)) {
    const program = opened[index] as Opened;
    const part = images.slice(rows.length, rows.length + program.size);
    rows.push(...(await computeOn(program, part)));
  }
  let row = 0;
  for (const { id, slots: used } of batch) {
    const own = rows.slice(row, row + used.length);
    row += used.length;
    const error = own.find((each) => typeof each === "string");
    if (error !== undefined) post({ id, slots: used, error });
    else {
      const classes = (own[0] as Float64Array).length;
      const probabilities = new Float64Array(own.length * classes);
      for (const [i, each] of (own as Float64Array[]).entries()) probabilities.set(each, i * classes);
      post({ id, slots: used, probabilities }, [probabilities.buffer]);
    }
  }
}

async function computeOn(opened: Opened, part: readonly number[]): Promise<readonly (Float64Array | string)[]> {
  const { model } = opened;
  const length = sizeOf(model.model.network.input);
  const input = await model.program.nextInput();
  for (const [i, slot] of part.entries()) input.set(slots[slot] as Float32Array, i * length);
  const began = performance.now();
  const rows = await predictProbabilities(model, input, part.length, {});
  opened.milliseconds += (performance.now() - began - opened.milliseconds) / 4;
  return rows;
}

/** Resolves at the next message, or when the oldest request has waited long enough. */
function news(): Promise<void> {
  return new Promise((resolve) => {
    const left = timeLeft();
    const timer = Number.isFinite(left) ? globalThis.setTimeout(resolve, Math.max(left, 0)) : undefined;
    wake = () => {
      clearTimeout(timer);
      wake = () => {};
      resolve();
    };
  });
}

/** Milliseconds that a process waits for its first request before it compiles the next program. */
const FIRST_WAIT = 1000;

/** Computes everything that is due. */
async function work(): Promise<void> {
  for (;;) {
    receive();
    const batch = takeBatch();
    if (batch.length === 0) return;
    Atomics.store(busySince, BUSY_SINCE, BigInt(now()));
    await compute(batch);
    Atomics.store(busySince, BUSY_SINCE, 0n);
  }
}

async function start(): Promise<void> {
  const { engine, threads, precision, calibration, facts = {} } = source;
  const onMessage = (note: string) => post({ note });
  const options = {
    ...(engine && { engine }),
    ...(threads !== undefined && { threads }),
    ...(precision && { precision }),
    ...(calibration && { calibration }),
    openSource: foreignModels(facts, onMessage),
  };
  await open(1, { ...options, onMessage });
  const { model, head, engine: description, isRandom, program } = (opened[0] as Opened).model;
  post({
    ready: { model, engine: description, precision: program.precision, isMultiLabel: head.isMultiLabel, isRandom },
  });
  port.on("message", take);
  // Requests are answered from here on. Larger programs follow one by one: each holds up requests for the time of its compilation, but not the first.
  for (const size of batchSizes(source.maxBatch, isRandom).slice(1)) {
    if (waiting.length === 0) await Promise.race([news(), setTimeout(FIRST_WAIT)]);
    await work();
    try {
      await open(size, options);
    } catch (error) {
      if (!(error instanceof AlexNetError)) throw error;
      post({ note: `batches of ${size}: ${error.message}; computing smaller ones` });
    }
  }
  for (;;) {
    await work();
    await news();
  }
}

try {
  await start();
} catch (error) {
  post({ failure: error instanceof AlexNetError ? error.message : `failed: ${messageOf(error)}` });
}
