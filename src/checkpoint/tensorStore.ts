/** Tensors saved and restored by name. */
import { CheckpointError } from "../errors.ts";
import { firstNonFinite, nonFiniteProblem } from "../finite.ts";
import { equalShapes } from "../shape.ts";
import type { NamedShape } from "./safetensorsHeader.ts";
import type { MemoryFor, SafetensorsReader } from "./safetensorsReader.ts";
import { scratchFor, type TensorSource } from "./safetensorsWriter.ts";

/** Tensors that can be restored, by their names in the file: the weights of a program. */
export interface TensorSink extends Omit<TensorSource, "read" | "scratch"> {
  /** Memory to pass values through, if the sink has some. */
  scratch?(length: number): Float32Array;
  /** Copies the values; the caller may overwrite them afterwards. */
  write(name: string, values: Float32Array): Promise<void>;
  /** The sink's own memory of a tensor, to read its values into instead of `write`; undefined if it stores them in another form. */
  memoryOf?(name: string): Float32Array | undefined;
}

/** Tensors that can also be saved: the weights of a training program, or an optimizer's state. */
export interface TensorStore extends TensorSource, TensorSink {}

/**
 * Loads a store from a file.
 *
 * Throws CheckpointError if the tensors differ, before anything is written; or after all is written, if the file's checksum differs or a value is
 * not finite.
 */
export async function fillStore(reader: SafetensorsReader, store: TensorSink): Promise<void> {
  checkTensors(reader.path, reader.tensors, store.tensors);
  const own = new Map(store.tensors.map(({ name }) => [name, store.memoryOf?.(name)]));
  const scratch = scratchFor({ ...store, tensors: store.tensors.filter(({ name }) => !own.get(name)) });
  await streamFinite(
    reader,
    async (name, values) => {
      if (!own.get(name)) await store.write(name, values);
    },
    (name, length) => own.get(name) ?? scratch.subarray(0, length),
  );
}

/** Streams the tensors of a file like `reader.stream`. Throws CheckpointError, after the last tensor, naming the first with a non-finite value. */
export async function streamFinite(
  reader: SafetensorsReader,
  consume: (name: string, values: Float32Array) => Promise<void>,
  memory?: MemoryFor,
): Promise<void> {
  let problem: string | undefined;
  let areFinite = true;
  await reader.stream(
    async (name, values) => {
      if (!areFinite) problem ??= `${name}: ${nonFiniteProblem(values)}`;
      await consume(name, values);
    },
    memory,
    (part) => {
      areFinite &&= firstNonFinite(part) < 0;
    },
  );
  // A modified file has already thrown its own error.
  if (problem !== undefined) throw new CheckpointError(`${reader.path}: ${problem}; ${nonFiniteRemedy}`);
}

/** Remedy for non-finite weights. */
export const nonFiniteRemedy = "these weights have diverged; use an earlier checkpoint, or other weights";

/** The same tensors. Reading one with a non-finite value throws CheckpointError with `path` and the tensor's name in the file. */
export function finiteSource(path: string, source: TensorSource, nameOf = (name: string) => name): TensorSource {
  return {
    ...source,
    async read(name, into) {
      const values = await source.read(name, into);
      const problem = nonFiniteProblem(values);
      if (problem !== undefined) throw new CheckpointError(`${path}: ${nameOf(name)}: ${problem}; ${nonFiniteRemedy}`);
      return values;
    },
  };
}

/** Throws CheckpointError listing every tensor of the file that is missing, unexpected or of another shape. */
export function checkTensors(path: string, tensors: readonly NamedShape[], expected: readonly NamedShape[]): void {
  const names = new Set(expected.map(({ name }) => name));
  const extra = tensors.filter(({ name }) => !names.has(name));
  const unexpected = extra.map(({ name, shape }) => `${name}: not expected, got [${shape.join(", ")}]`);
  refuse(path, [...problemsOf(tensors, expected), ...unexpected]);
}

/** Tensors that are missing or of another shape. */
function problemsOf(tensors: readonly NamedShape[], expected: readonly NamedShape[]): readonly string[] {
  const stored = new Map(tensors.map(({ name, shape }) => [name, shape]));
  return expected.flatMap(({ name, shape }) => {
    const got = stored.get(name);
    if (got === undefined) return [`${name}: missing, expected [${shape.join(", ")}]`];
    return equalShapes(got, shape) ? [] : [`${name}: expected [${shape.join(", ")}], got [${got.join(", ")}]`];
  });
}

function refuse(path: string, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const count = problems.length === 1 ? "1 tensor does" : `${problems.length} tensors do`;
  throw new CheckpointError(`${path}: ${count} not match:\n  ${problems.join("\n  ")}`);
}
