/** Writes state dicts like `torch.save`, readable by `torch.load(FILE, weights_only=True)`. */
import { open } from "node:fs/promises";
import type { NamedShape } from "../../checkpoint/safetensorsHeader.ts";
import { bytesOf, scratchFor, type TensorSource } from "../../checkpoint/safetensorsWriter.ts";
import { ShapeError } from "../../errors.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { writeZip, type ZipContent } from "../containers/zip.ts";

/** The only version of data.pkl in a zip file. Source: PyTorch, caffe2/serialize/versions.h. */
const formatVersion = "3\n";
const folder = "archive";

/**
 * Writes and syncs a file with one tensor at a time in memory. `path` is temporary; the caller renames it.
 *
 * Throws the system's error if the file cannot be written.
 */
export async function writePytorch(path: string, source: TensorSource): Promise<void> {
  const scratch = scratchFor(source);
  const plain = (name: string, bytes: Uint8Array): ZipContent => ({
    name,
    size: bytes.length,
    bytes: async () => bytes,
  });
  const storages = source.tensors.map(({ name, shape }, i): ZipContent => {
    const count = sizeOf(shape);
    return {
      name: `${folder}/data/${i}`,
      size: count * Float32Array.BYTES_PER_ELEMENT,
      async bytes() {
        const values = await source.read(name, scratch.subarray(0, count));
        if (values.length === count) return bytesOf(values);
        throw new ShapeError(`${name}: expected ${count} values to save, got ${values.length}`);
      },
    };
  });
  const handle = await open(path, "w");
  try {
    await writeZip(handle, [
      plain(`${folder}/data.pkl`, pickleStateDict(source.tensors)),
      plain(`${folder}/byteorder`, Buffer.from("little")),
      ...storages,
      plain(`${folder}/version`, Buffer.from(formatVersion)),
    ]);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Pickle of an OrderedDict of tensors, each with a storage of its own, in PyTorch's instructions. */
export function pickleStateDict(tensors: readonly NamedShape[]): Buffer {
  const items = tensors.flatMap(({ name, shape }, i) => [text(name), tensor(shape, String(i))]);
  return Buffer.concat([protocol2, emptyOrderedDict, mark, ...items, setItems, stop]);
}

const protocol2 = Buffer.of(0x80, 2);
const mark = Buffer.from("(");
const tuple = Buffer.from("t");
const reduce = Buffer.from("R");
const persistentId = Buffer.from("Q");
const setItems = Buffer.from("u");
const stop = Buffer.from(".");
const newFalse = Buffer.of(0x89);
const emptyOrderedDict = Buffer.from("ccollections\nOrderedDict\n)R");

/** `_rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())`. */
function tensor(shape: Shape, key: string): Buffer {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const storage = [
    mark,
    text("storage"),
    Buffer.from("ctorch\nFloatStorage\n"),
    text(key),
    text("cpu"),
    integer(sizeOf(shape)),
    tuple,
  ];
  const args = [
    ...storage,
    persistentId,
    integer(0),
    ...integers(shape),
    ...integers(strides),
    newFalse,
    emptyOrderedDict,
  ];
  return Buffer.concat([Buffer.from("ctorch._utils\n_rebuild_tensor_v2\n"), mark, ...args, tuple, reduce]);
}

function integers(values: readonly number[]): readonly Buffer[] {
  return [mark, ...values.map(integer), tuple];
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5, "J");
  bytes.writeInt32LE(value, 1);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(5, "X");
  length.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([length, bytes]);
}
