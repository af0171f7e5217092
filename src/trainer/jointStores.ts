/** Stores of tensors that several processes hold, each all of a tensor or its part. Process 0 reads and writes whole tensors, and the others serve it. */
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import type { Communicator } from "../engine/communicator.ts";
import { type Network, parametersOf } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { equalShapes, type Shape, sizeOf } from "../shape.ts";
import { type Failure, failureOf, peerError, settle } from "./processes.ts";

/** Joint stores of a run. All processes join the same stores in the same order. */
export interface JointStores {
  /** The store with whole tensors, for the action of `lead`; the store itself in a single process. */
  join(store: TensorStore): TensorStore;
  /**
   * Runs an action on process 0, which alone may use the joint stores meanwhile, and returns its result, as JSON, on all of them. If it fails, the other
   * processes throw PeerError.
   */
  lead<T>(action: () => Promise<T>): Promise<T>;
}

/** A process's part of a tensor, which is contiguous: parts are divided along the first axis. */
interface Held {
  readonly name: string;
  /** Shape of the whole. */
  readonly shape: Shape;
  /** Values of this process, and whether these are all. */
  readonly length: number;
  readonly isWhole: boolean;
}

/** A call of process 0. */
type Request =
  | { readonly call: "read" | "write"; readonly store: number; readonly tensor: number }
  | { readonly call: "end"; readonly failure: Failure | null; readonly value?: unknown };

/** Values that are exchanged at a time, so that no process needs memory for other processes' parts. */
const CHUNK = 2 ** 20;

/** The stores of a single process. */
export const ownStores: JointStores = { join: (store) => store, lead: (action) => action() };

/** Creates the joint stores of a run of a network. */
export function createJointStores(communicator: Communicator, network: Network): JointStores {
  if (communicator.size === 1) return ownStores;
  const wholeShape = wholeShapes(network);
  const stores: { readonly own: TensorStore; readonly held: readonly Held[] }[] = [];
  const ask = (request: Request) => communicator.agree(request);
  return {
    join(own) {
      const held = own.tensors.map(({ name, shape }) => heldOf(name, shape, wholeShape(name)));
      const store = stores.push({ own, held }) - 1;
      const find = (name: string) => held.findIndex((each) => each.name === name);
      return {
        tensors: held.map(({ name, shape }) => ({ name, shape })),
        ...(own.scratch ? { scratch: own.scratch.bind(own) } : {}),
        async read(name, into) {
          const tensor = find(name);
          const each = held[tensor];
          if (!each || each.isWhole) return own.read(name, into);
          await ask({ call: "read", store, tensor });
          await own.read(name, into.subarray(0, each.length));
          gatherParts(communicator, each.length, into, into);
          return into;
        },
        async write(name, values) {
          const tensor = find(name);
          const { length } = held[tensor] as Held;
          await ask({ call: "write", store, tensor });
          shareValues(communicator, values);
          await own.write(name, values.subarray(0, length));
        },
      };
    },
    lead: (action) => (communicator.rank === 0 ? leading(action, ask) : serve(communicator, stores)),
  };
}

/** Shape of the whole of a tensor of the weights, or of the optimizer's state of one, such as `velocity.features.0.weight`. */
function wholeShapes(network: Network): (name: string) => Shape {
  const names = tensorNames(network);
  const shapes = new Map(parametersOf(network).map(({ name, shape }) => [names.get(name) ?? name, shape]));
  return (name) => {
    const shape = shapes.get(name) ?? shapes.get(name.slice(name.indexOf(".") + 1));
    if (!shape) throw new Error(`${name}: not a tensor of ${network.name}`);
    return shape;
  };
}

function heldOf(name: string, own: Shape, shape: Shape): Held {
  return { name, shape, length: sizeOf(own), isWhole: equalShapes(own, shape) };
}

async function leading<T>(action: () => Promise<T>, ask: (request: Request) => Promise<unknown>): Promise<T> {
  const outcome = await settle(action);
  const failure = failureOf(outcome) ?? null;
  await ask({ call: "end", failure, ...("value" in outcome ? { value: outcome.value } : {}) });
  if ("error" in outcome) throw outcome.error;
  return outcome.value;
}

/** Serves the requests of process 0 until its action ends. */
async function serve<T>(
  communicator: Communicator,
  stores: readonly { readonly own: TensorStore; readonly held: readonly Held[] }[],
): Promise<T> {
  for (;;) {
    const [request] = (await communicator.agree<Request | null>(null)) as readonly [Request];
    if (request.call === "end") {
      if (request.failure) throw peerError(0, request.failure);
      return request.value as T;
    }
    const { own, held } = stores[request.store] as (typeof stores)[number];
    const { name, shape, length, isWhole } = held[request.tensor] as Held;
    const part = (own.scratch?.(length) ?? new Float32Array(length)).subarray(0, length);
    if (request.call === "read") {
      await own.read(name, part);
      gatherParts(communicator, length, part, undefined);
      continue;
    }
    receiveValues(communicator, sizeOf(shape), part, isWhole ? 0 : communicator.rank * length);
    await own.write(name, part);
  }
}

/** Gathers parts of `length` values, of which `own` begins with this process's, into `all` if given. */
function gatherParts(
  communicator: Communicator,
  length: number,
  own: Float32Array,
  all: Float32Array | undefined,
): void {
  const { rank, size } = communicator;
  const chunk = Math.min(CHUNK, length);
  const [sent, received] = [new Float32Array(chunk), new Float32Array(size * chunk)];
  for (let at = 0; at < length; at += chunk) {
    const count = Math.min(chunk, length - at);
    sent.set(own.subarray(at, at + count));
    const of = received.subarray(0, size * count);
    communicator.gather(sent.subarray(0, count), of);
    communicator.wait();
    for (let r = 0; all && r < size; r++) {
      if (r !== rank) all.set(of.subarray(r * count, (r + 1) * count), r * length + at);
    }
  }
}

/** Shares values of process 0, which the others receive. */
function shareValues(communicator: Communicator, values: Float32Array): void {
  for (let at = 0; at < values.length; at += CHUNK) {
    communicator.share(values.subarray(at, at + CHUNK));
    communicator.wait();
  }
}

/** Receives `length` values of process 0, and keeps those of a part, from `start` on. */
function receiveValues(communicator: Communicator, length: number, part: Float32Array, start: number): void {
  const chunk = new Float32Array(Math.min(CHUNK, length));
  for (let at = 0; at < length; at += CHUNK) {
    const values = chunk.subarray(0, Math.min(CHUNK, length - at));
    communicator.share(values);
    communicator.wait();
    const [from, to] = [Math.max(at, start), Math.min(at + values.length, start + part.length)];
    if (from < to) part.set(values.subarray(from - at, to - at), from - start);
  }
}
