import { z } from "zod";
import { CheckpointError } from "../errors.ts";
import { type Shape, sizeOf } from "../shape.ts";

/** A tensor's name and shape. */
export interface NamedShape {
  readonly name: string;
  readonly shape: Shape;
}

/** Where a tensor of f32 values lies in its file, in bytes. */
export interface StoredTensor {
  readonly shape: Shape;
  readonly position: number;
  readonly byteLength: number;
}

/** What stands before the tensors of a file. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** SHA-256 of the file with this digest's own 64 digits as zeros; undefined in files of other programs. */
  readonly checksum: string | undefined;
}

/** Bytes of the header's length: a little-endian 64-bit integer at the start of the file. */
export const lengthBytes = 8;

/** More than this is not a header. Source: huggingface/safetensors, MAX_HEADER_SIZE. */
export const maxHeaderBytes = 100_000_000;

const checksumKey = "alexnetSha256";
const noDigest = "0".repeat(64);

/** Our own headers begin so: then the digest has a fixed place, and can be filled in when the tensors are written. */
const ownStart = `{"__metadata__":{"${checksumKey}":"`;

/** Place of the checksum's 64 digits in a file of this program. */
export const checksumPosition = lengthBytes + ownStart.length;

/**
 * The length and the header of a file with these tensors, in this order, with zeros for a checksum.
 *
 * Source: huggingface/safetensors, "Format".
 */
export function encodeHeader(metadata: Readonly<Record<string, string>>, tensors: readonly NamedShape[]): Buffer {
  // Built by hand: an object would put names that look like numbers first.
  const member = (key: string, value: unknown) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`;
  let end = 0;
  const entries = tensors.map(({ name, shape }) => {
    const begin = end;
    end += sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT;
    return member(name, { dtype: "F32", shape, data_offsets: [begin, end] });
  });
  const strings = Object.entries(metadata).map(([key, value]) => member(key, value));
  const json = `${ownStart}${noDigest}"${strings.join("")}}${entries.join("")}}`;
  const length = Buffer.byteLength(json);
  const padded = Math.ceil(length / 8) * 8;
  const bytes = Buffer.alloc(lengthBytes + padded, " ");
  bytes.writeBigUInt64LE(BigInt(padded));
  bytes.write(json, lengthBytes);
  return bytes;
}

/** A copy with zeros for the checksum: what the checksum is made over. */
export function withoutChecksum(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  copy.write(noDigest, checksumPosition);
  return copy;
}

const tensorSchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});

const headerSchema = z
  .object({ __metadata__: z.record(z.string(), z.string()).default({}) })
  .catchall(z.unknown())
  .transform(({ __metadata__, ...tensors }) => ({ metadata: __metadata__, tensors }));

/**
 * Reads a header (without its length) of a file with `dataBytes` bytes after it.
 *
 * Throws CheckpointError unless the tensors are f32 and fill those bytes exactly, one after the other.
 */
export function parseHeader(path: string, bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
  const header = headerSchema.safeParse(parseJson(path, bytes));
  if (!header.success) throw damaged(path, `its header is wrong: ${z.prettifyError(header.error)}`);
  const { [checksumKey]: checksum, ...metadata } = header.data.metadata;
  const dataStart = lengthBytes + bytes.length;
  const tensors = Object.entries(header.data.tensors)
    .map(([name, entry]) => parseTensor(path, name, entry, dataStart))
    .sort(([, a], [, b]) => a.position - b.position || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const [name, { position, byteLength }] of tensors) {
    if (position !== end) throw damaged(path, `${name} begins at byte ${position}, expected ${end}`);
    end += byteLength;
  }
  if (end !== dataStart + dataBytes) {
    throw damaged(path, `expected ${end} bytes by its header, got ${dataStart + dataBytes}`);
  }
  return { metadata, tensors: new Map(tensors), checksum };
}

function parseJson(path: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(path, "its header is not JSON", cause);
  }
}

function parseTensor(path: string, name: string, entry: unknown, dataStart: number): [string, StoredTensor] {
  const parsed = tensorSchema.safeParse(entry);
  if (!parsed.success) throw damaged(path, `${name}: ${z.prettifyError(parsed.error)}`);
  const { dtype, shape, data_offsets: offsets } = parsed.data;
  if (dtype !== "F32") {
    throw new CheckpointError(
      `${path}: ${name}: expected values of type F32, got ${dtype}; convert the file to F32 first`,
    );
  }
  const byteLength = offsets[1] - offsets[0];
  if (byteLength !== sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT) {
    throw damaged(path, `${name}: shape [${shape.join(", ")}] does not fill its ${byteLength} bytes`);
  }
  return [name, { shape, position: dataStart + offsets[0], byteLength }];
}

/** An error for a file that is cut off, changed, or no safetensors file at all. */
export function damaged(path: string, detail: string, cause?: unknown): CheckpointError {
  return new CheckpointError(`${path}: damaged, or not a safetensors file: ${detail}`, { cause });
}
