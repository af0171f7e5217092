/** Writes safetensors, tensor by tensor. */
import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { ShapeError } from "../errors.ts";
import { sizeOf } from "../shape.ts";
import { checksumPosition, encodeHeader, type NamedShape } from "./safetensorsHeader.ts";

/** Tensors to write: all shapes, and values one tensor at a time. */
export interface TensorSource {
  readonly tensors: readonly NamedShape[];
  /** Reads a tensor's values, into `into` (of the tensor's size) or into an array of the source's own. */
  read(name: string, into: Float32Array): Promise<Float32Array>;
  /** Memory to read values through, if the source has some. */
  scratch?(length: number): Float32Array;
}

/** The same tensors; once the signal is aborted, reading one throws its reason. */
export function untilAborted(source: TensorSource, signal: AbortSignal | undefined): TensorSource {
  return {
    tensors: source.tensors,
    async read(name, into) {
      signal?.throwIfAborted();
      return source.read(name, into);
    },
  };
}

/** Large enough that calls cost nothing, small enough that the checksum finds the bytes in the processor's cache. */
export const chunkBytes = 1 << 20;

/**
 * Writes and syncs a safetensors file, with at most one tensor in memory. Returns its checksum. `path` is a temporary file, which the caller renames
 * or removes. `scratch` fits the largest tensor.
 *
 * Throws the system's error if the file cannot be written.
 */
export async function writeSafetensors(
  path: string,
  metadata: Readonly<Record<string, string>>,
  source: TensorSource,
  scratch = scratchFor(source),
): Promise<string> {
  const handle = await open(path, "w");
  try {
    const digest = await writeContent(handle, metadata, source, scratch);
    await handle.sync();
    return digest;
  } finally {
    await handle.close();
  }
}

/** Memory for any one tensor of these sources. */
export function scratchFor(source: Omit<TensorSource, "read">, ...others: readonly TensorSource[]): Float32Array {
  const tensors = [source, ...others].flatMap((each) => each.tensors);
  const length = Math.max(0, ...tensors.map(({ shape }) => sizeOf(shape)));
  return source.scratch?.(length) ?? new Float32Array(length);
}

/** Returns a function that reads each tensor of a source into the same memory. */
export function readingInto(source: TensorSource): (name: string) => Promise<Float32Array> {
  const sizes = new Map(source.tensors.map(({ name, shape }) => [name, sizeOf(shape)]));
  const memory = scratchFor(source);
  return (name) => source.read(name, memory.subarray(0, sizes.get(name)));
}

async function writeContent(
  handle: FileHandle,
  metadata: Readonly<Record<string, string>>,
  source: TensorSource,
  scratch: Float32Array,
): Promise<string> {
  const hash = createHash("sha256");
  const header = encodeHeader(metadata, source.tensors);
  await writeHashed(handle, header, 0, hash);
  let position = header.length;
  for (const { name, shape } of source.tensors) {
    const values = await source.read(name, scratch.subarray(0, sizeOf(shape)));
    if (values.length !== sizeOf(shape)) {
      throw new ShapeError(`${name}: expected ${sizeOf(shape)} values to save, got ${values.length}`);
    }
    await writeHashed(handle, bytesOf(values), position, hash);
    position += values.byteLength;
  }
  const digest = hash.digest("hex");
  await writeAll(handle, Buffer.from(digest), checksumPosition);
  return digest;
}

/** The system writes a chunk while this thread hashes it. */
async function writeHashed(handle: FileHandle, bytes: Uint8Array, position: number, hash: Hash): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    const chunk = bytes.subarray(offset, offset + chunkBytes);
    const written = writeAll(handle, chunk, position + offset);
    hash.update(chunk);
    await written;
  }
}

/** Writes all bytes: a system call may write fewer than requested. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** The same memory as bytes, little-endian, as the format requires: all machines with oneDNN binaries are. */
export function bytesOf(values: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
