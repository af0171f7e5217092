/** Entry of a page that computes a workload: calls in place of a worker's lines. */
/// <reference lib="dom" />
import { messageOf } from "../../src/errors.ts";
import type { Create } from "./library.ts";
import { answer, type Checked, type Command, type Computation, type ComputeRequest, type Timing } from "./protocol.ts";
import { openWorkload } from "./workload.ts";

/** Result of a call, or the message of its error. */
export type Reply<T> = { readonly value: T } | { readonly problem: string };

/** Calls of a page, its global `peer`. */
export interface PageCalls {
  /** Creates the computation, and computes the first step. Returns library and version. */
  start(request: ComputeRequest): Promise<Reply<string>>;
  answer(command: Command): Promise<Reply<Timing | { readonly checked: Checked }>>;
}

async function reply<T>(value: Promise<T>): Promise<Reply<T>> {
  try {
    return { value: await value };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}

/** Reads a part of a file from the page's server. */
async function fetchPart(file: string, part = ""): Promise<Response> {
  const response = await fetch(`/workload/${file}${part}`);
  if (!response.ok) throw new Error(`${file}: the server answers ${response.status}`);
  return response;
}

const servedFiles = {
  text: async (file: string) => (await fetchPart(file)).text(),
  async fill(file: string, start: number, { buffer, byteOffset, byteLength }: Float32Array) {
    const response = await fetchPart(file, `?start=${start}&length=${byteLength}`);
    new Uint8Array(buffer, byteOffset, byteLength).set(new Uint8Array(await response.arrayBuffer()));
  },
};

/** Offers the calls of a computation with a library on the graphics adapter. */
export function offer<Library>(library: Library, create: Create<Library>): void {
  let computation: Computation | undefined;
  const peer: PageCalls = {
    start: (request) =>
      reply(
        (async () => {
          computation = await create(library, "webgpu", await openWorkload(servedFiles), request);
          await computation.step();
          return computation.description;
        })(),
      ),
    answer: (command) => reply(answer(computation as Computation, command)),
  };
  Object.assign(globalThis, { peer });
}
