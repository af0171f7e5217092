/** Reads safetensors strictly, tensor by tensor. */
import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { CheckpointError, messageOf, ShapeError } from "../errors.ts";
import { openRegular } from "../openRegular.ts";
import { sizeOf } from "../shape.ts";
import { f32, type StoredValues } from "./dtypes.ts";
import { hashFile } from "./fileHash.ts";
import {
  corruptFile,
  importCommand,
  lengthBytes,
  maxHeaderBytes,
  type NamedShape,
  parseHeader,
  type SafetensorsHeader,
  type StoredTensor,
  withoutChecksum,
} from "./safetensorsHeader.ts";
import { bytesOf, chunkBytes, scratchFor } from "./safetensorsWriter.ts";

/** Size in bytes from which a file's checksum is computed on another thread: starting it takes as long as hashing 20 MB. */
const HASHED_ASIDE = 32 * 1024 * 1024;

/** Values of a tensor that are read at a time: enough to inspect one part while the next is read. */
const PART_VALUES = 2 ** 22;

/**
 * Opens a safetensors file and reads its header.
 *
 * Throws CheckpointError if the file does not exist, or its header or size is invalid.
 */
export async function openSafetensors(path: string): Promise<SafetensorsReader> {
  const handle = await explainingReads(path, () => openRegular(path));
  try {
    const { size } = await explainingReads(path, () => handle.stat());
    const start = Buffer.alloc(lengthBytes);
    await readAll(path, handle, start, 0);
    const headerBytes = Number(start.readBigUInt64LE());
    if (headerBytes > Math.min(maxHeaderBytes, size - lengthBytes)) {
      if (!path.toLowerCase().endsWith(".safetensors")) {
        throw new CheckpointError(
          `${path}: not a safetensors file; import another program's file with: ${importCommand(path)}`,
        );
      }
      throw corruptFile(path, `its header claims ${headerBytes} bytes, the file has ${size}`);
    }
    const bytes = Buffer.concat([start, Buffer.alloc(headerBytes)]);
    await readAll(path, handle, bytes.subarray(lengthBytes), lengthBytes);
    const header = parseHeader(path, bytes.subarray(lengthBytes), size - bytes.length);
    return new SafetensorsReader(path, handle, header, bytes);
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opens a file for the duration of an action. */
export async function withReader<T>(file: string, action: (reader: SafetensorsReader) => Promise<T>): Promise<T> {
  const reader = await openSafetensors(file);
  try {
    return await action(reader);
  } finally {
    await reader.close();
  }
}

/** Returns memory for the values of a tensor, by its name and number of values. */
export type MemoryFor = (name: string, length: number) => Float32Array;

/** Receives consecutive parts of a tensor's values while the next part is read. */
export type PartInspector = (part: Float32Array) => void;

/** An open safetensors file. `stream` and `verify` check the file's checksum, `read` does not. */
export class SafetensorsReader {
  readonly path: string;
  readonly header: SafetensorsHeader;
  readonly #handle: FileHandle;
  readonly #headerBytes: Buffer;
  #verifying: Promise<void> | undefined;

  constructor(path: string, handle: FileHandle, header: SafetensorsHeader, headerBytes: Buffer) {
    this.path = path;
    this.header = header;
    this.#handle = handle;
    this.#headerBytes = headerBytes;
  }

  /** Tensors in file order. */
  get tensors(): readonly NamedShape[] {
    return [...this.header.tensors].map(([name, { shape }]) => ({ name, shape }));
  }

  /** Reads one tensor as f32, into `into` if given. Throws CheckpointError if it does not exist. */
  async read(name: string, into?: Float32Array): Promise<Float32Array> {
    const tensor = this.#find(name);
    const values = into ?? new Float32Array(sizeOf(tensor.shape));
    if (values.length !== sizeOf(tensor.shape)) {
      throw new ShapeError(`${name}: expected room for ${sizeOf(tensor.shape)} values, got ${values.length}`);
    }
    await this.#readInto(tensor, values, () => {});
    return values;
  }

  /** Reads one tensor as stored, without conversion. Throws CheckpointError if it does not exist. */
  async readStored(name: string): Promise<StoredValues> {
    const { dtype, position, byteLength } = this.#find(name);
    const bytes = new Uint8Array(byteLength);
    await readAll(this.path, this.#handle, bytes, position);
    return dtype.view(bytes);
  }

  /**
   * Calls back with every tensor as f32, in file order, in `memory`; by default in memory that is reused for the next tensor. `inspect` is called with
   * its parts before.
   *
   * Throws CheckpointError, after the last tensor, if the checksum differs.
   */
  async stream(
    consume: (name: string, values: Float32Array) => Promise<void>,
    memory: MemoryFor = memoryForEach(this.tensors),
    inspect: PartInspector = () => {},
  ): Promise<void> {
    const verifying = this.verifyAhead();
    for (const [name, tensor] of this.header.tensors) {
      const values = memory(name, sizeOf(tensor.shape));
      await this.#readInto(tensor, values, inspect);
      await consume(name, values);
    }
    await verifying;
  }

  /** Begins to `verify`, so that a later `stream` need not wait for it. Closing the file waits for its end. */
  verifyAhead(): Promise<void> {
    this.#verifying ??= this.verify();
    // Thrown by `stream`, if reading itself does not fail.
    this.#verifying.catch(() => {});
    return this.#verifying;
  }

  /** Reads the whole file. Throws CheckpointError if the checksum differs. */
  async verify(): Promise<void> {
    const { checksum } = this.header;
    if (checksum !== undefined && (await this.#hash()) !== checksum) {
      throw corruptFile(this.path, "its checksum differs: the file changed after it was written");
    }
  }

  /** The file's SHA-256 as its header says, or computed for a file without one. `verify` compares the two. */
  async digest(): Promise<string> {
    return this.header.checksum ?? this.#hash();
  }

  async close(): Promise<void> {
    await this.#verifying?.catch(() => {});
    await this.#handle.close();
  }

  async #readInto(
    { dtype, byteLength, position }: StoredTensor,
    values: Float32Array,
    inspect: PartInspector,
  ): Promise<void> {
    const isF32 = dtype === f32;
    const bytes = isF32 ? bytesOf(values) : new Uint8Array(byteLength);
    const partBytes = isF32 ? 4 * PART_VALUES : byteLength;
    const read = (start: number) =>
      readAll(this.path, this.#handle, bytes.subarray(start, start + partBytes), position + start);
    let reading = read(0);
    for (let start = 0; start < byteLength; start += partBytes) {
      await reading;
      reading = read(start + partBytes);
      // Awaited in the next round; an empty part after the last reads nothing.
      reading.catch(() => {});
      if (isF32) inspect(values.subarray(start / 4, (start + partBytes) / 4));
    }
    if (isF32) return;
    dtype.toFloat32(bytes, values);
    inspect(values);
  }

  #find(name: string): StoredTensor {
    const tensor = this.header.tensors.get(name);
    if (tensor === undefined) throw new CheckpointError(`${this.path}: contains no tensor "${name}"`);
    return tensor;
  }

  /** SHA-256 of the file, without the digits of its own checksum. */
  async #hash(): Promise<string> {
    const prefix = withoutChecksum(this.#headerBytes);
    const start = prefix.length;
    return explainingReads(this.path, async () => {
      const { size } = await this.#handle.stat();
      if (size > HASHED_ASIDE) return hashFile(this.#handle.fd, prefix, start);
      const hash = createHash("sha256").update(prefix);
      const data = this.#handle.createReadStream({ start, autoClose: false, highWaterMark: chunkBytes });
      for await (const chunk of data) hash.update(chunk as Buffer);
      return hash.digest("hex");
    });
  }
}

/** Memory that fits any one of these tensors. */
function memoryForEach(tensors: readonly NamedShape[]): MemoryFor {
  const scratch = scratchFor({ tensors });
  return (_, length) => scratch.subarray(0, length);
}

/** A read may return fewer bytes than requested; zero bytes mean the end of the file. */
async function readAll(path: string, handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await explainingReads(path, () =>
      handle.read(bytes, done, bytes.length - done, position + done),
    );
    if (bytesRead === 0) throw corruptFile(path, `it ends at byte ${position + done}`);
    done += bytesRead;
  }
}

async function explainingReads<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new CheckpointError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
  }
}
