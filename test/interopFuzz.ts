/** Good small files of the formats of weights, and what becomes of them when they are damaged at random. */
import { inflateSync } from "node:zlib";
import { encodeHeader, lengthBytes, parseHeader } from "../src/checkpoint/safetensorsHeader.ts";
import { AlexNetError } from "../src/errors.ts";
import { bytesInMemory } from "../src/formats/containers/byteSource.ts";
import { readZip } from "../src/formats/containers/zip.ts";
import { readPytorch } from "../src/formats/pytorch/readPytorch.ts";
import { sizeOf } from "../src/shape.ts";
import { readGolden } from "./golden.ts";
import { mutations } from "./mutations.ts";

/** A format with good files of it. */
export interface FuzzTarget {
  readonly name: string;
  readonly files: readonly Uint8Array[];
  /** Reads a file whole. Throws AlexNetError, or an Error if what it read cannot be right. */
  read(bytes: Uint8Array): Promise<void>;
}

export interface FuzzResult {
  /** Files that were read, and files that were refused. */
  readonly read: number;
  readonly refused: number;
  readonly slowestMs: number;
}

async function readTensors(bytes: Uint8Array): Promise<void> {
  const file = await readPytorch(bytesInMemory("damaged", bytes));
  for (const { name, shape } of file.tensors) {
    const { length } = await file.readStored(name);
    if (length !== sizeOf(shape)) throw new Error(`${name}: ${length} values for [${shape.join(", ")}]`);
    if (length > bytes.length) throw new Error(`${name}: ${length} values of ${bytes.length} bytes`);
  }
}

/** The header, and whether what it says lies within the file. */
async function readHeader(bytes: Uint8Array): Promise<void> {
  const end = bytes.indexOf(0);
  const header = bytes.subarray(0, end < 0 ? bytes.length : end);
  const { tensors } = parseHeader("damaged", header, bytes.length - header.length);
  let position = lengthBytes + header.length;
  for (const [name, tensor] of tensors) {
    const right = tensor.position === position && tensor.byteLength === sizeOf(tensor.shape) * tensor.dtype.byteLength;
    if (!right)
      throw new Error(`${name}: at ${tensor.position}, ${tensor.byteLength} bytes of [${tensor.shape.join(", ")}]`);
    position += tensor.byteLength;
  }
  if (position !== lengthBytes + bytes.length) throw new Error(`tensors end at ${position} of ${bytes.length}`);
}

/** A zip file in which every checksum is right: what was damaged is met by what reads the pickle. */
async function rezip(bytes: Uint8Array): Promise<Uint8Array> {
  const { crc32 } = await import("../src/image/files/crc32.ts");
  const copy = Buffer.from(bytes);
  const entries = await readZip(bytesInMemory("damaged", copy)).catch(() => new Map<string, never>());
  for (const { name, position, size } of entries.values() as Iterable<{
    name: string;
    position: number;
    size: number;
  }>) {
    const crc = crc32(copy.subarray(position, position + size));
    const inDirectory = copy.lastIndexOf(name) - 46;
    if (inDirectory >= 0) copy.writeUInt32LE(crc, inDirectory + 16);
  }
  return copy;
}

/** Every format. */
export async function fuzzTargets(): Promise<readonly FuzzTarget[]> {
  const golden = await readGolden<{ files: readonly { name: string; file: string }[] }>("interop");
  const files = golden.files.map(({ name, file }) => ({ name, bytes: inflateSync(Buffer.from(file, "base64")) }));
  const [older, zipped] = [true, false].map((isOlder) =>
    files.filter(({ name }) => name.endsWith(", older") === isOlder).map(({ bytes }) => bytes),
  ) as [Buffer[], Buffer[]];
  const tensors = [
    { name: "features.0.weight", shape: [2, 3] },
    { name: "scalar", shape: [] },
    { name: "classifier.0.bias", shape: [0, 4] },
  ];
  const header = encodeHeader({ note: "é" }, tensors).subarray(lengthBytes);
  return [
    { name: "safetensors", files: [Buffer.concat([header, Buffer.alloc(28)])], read: readHeader },
    { name: "pytorch", files: zipped, read: readTensors },
    { name: "pytorch, checksums right", files: zipped, read: async (bytes) => readTensors(await rezip(bytes)) },
    { name: "pytorch, older", files: older, read: readTensors },
  ];
}

/** Damages a target's files `count` times. Throws whatever is neither a correct read nor an AlexNetError. */
export async function fuzz({ name, files, read }: FuzzTarget, count: number): Promise<FuzzResult> {
  const result = { read: 0, refused: 0, slowestMs: 0 };
  for (const [i, file] of files.entries()) {
    for (const damaged of mutations(file, Math.ceil(count / files.length), `${name} ${i}`)) {
      const began = performance.now();
      try {
        await read(damaged);
        result.read++;
      } catch (error) {
        if (!(error instanceof AlexNetError)) throw error;
        result.refused++;
      }
      result.slowestMs = Math.max(result.slowestMs, performance.now() - began);
    }
  }
  return result;
}
