/** Checkpoints as training programs save them with `torch.save`: pickles of protocol 2 in a zip file. */
import { open } from "node:fs/promises";
import { writeZip } from "../src/formats/containers/zip.ts";
import { sizeOf } from "../src/shape.ts";

/** A tensor with one value throughout. */
export interface TensorOf {
  readonly shape: readonly number[];
  readonly value: number;
  /** Number of values in the file; default all of them. */
  readonly stored?: number;
}

/** A Python object: its class, the arguments of its constructor, and its attributes. */
export interface PythonObject {
  readonly of: string;
  readonly args?: readonly Python[];
  readonly state?: Python;
  /** Entries of a subclass of dict. */
  readonly items?: Readonly<Record<string, Python>>;
}

export type Python =
  | null
  | boolean
  | number
  | string
  | readonly Python[]
  | { readonly tensor: TensorOf }
  | { readonly object: PythonObject }
  | { readonly dict: Readonly<Record<string, Python>> };

export const dict = (entries: Readonly<Record<string, Python>>): Python => ({ dict: entries });
export const object = (of: string, rest: Omit<PythonObject, "of"> = {}): Python => ({ object: { of, ...rest } });
/** A state dict whose tensors all have one value. */
export const stateDict = (shapes: Readonly<Record<string, readonly number[]>>, value: number, prefix = ""): Python =>
  dict(
    Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [prefix + name, { tensor: { shape, value } }])),
  );

/** Writes a file as `torch.save(root, path)` does. */
export async function writeCheckpoint(path: string, root: Python): Promise<void> {
  const storages: TensorOf[] = [];
  const pickle = Buffer.concat([Buffer.of(0x80, 2), encode(root, storages), Buffer.from(".")]);
  const handle = await open(path, "w");
  const entry = (name: string, content: Uint8Array) => ({
    name: `archive/${name}`,
    size: content.byteLength,
    bytes: async () => content,
  });
  try {
    await writeZip(handle, [
      entry("data.pkl", pickle),
      entry("byteorder", Buffer.from("little")),
      ...storages.map(({ shape, value, stored = sizeOf(shape) }, i) =>
        entry(`data/${i}`, new Uint8Array(new Float32Array(stored).fill(value).buffer)),
      ),
      entry("version", Buffer.from("3\n")),
    ]);
  } finally {
    await handle.close();
  }
}

function encode(value: Python, storages: TensorOf[]): Buffer {
  if (value === null) return Buffer.from("N");
  if (typeof value === "boolean") return Buffer.of(value ? 0x88 : 0x89);
  if (typeof value === "string") return text(value);
  if (typeof value === "number") return number(value);
  const all = (items: readonly Python[]) => items.map((item) => encode(item, storages));
  if ("tensor" in value) return tensor(value.tensor, storages);
  if ("dict" in value) return Buffer.concat([Buffer.from("}("), ...entries(value.dict, storages), Buffer.from("u")]);
  if (!("object" in value)) return Buffer.concat([Buffer.from("]("), ...all(value), Buffer.from("e")]);
  const { of, args = [], items, state } = value.object;
  return Buffer.concat([
    global(of),
    ...[Buffer.from("("), ...all(args), Buffer.from("t"), Buffer.of(0x81)],
    ...(items ? [Buffer.from("("), ...entries(items, storages), Buffer.from("u")] : []),
    ...(state === undefined ? [] : [encode(state, storages), Buffer.from("b")]),
  ]);
}

function entries(of: Readonly<Record<string, Python>>, storages: TensorOf[]): readonly Buffer[] {
  return Object.entries(of).flatMap(([key, item]) => [text(key), encode(item, storages)]);
}

function global(name: string): Buffer {
  const at = name.lastIndexOf(".");
  return Buffer.from(`c${name.slice(0, at)}\n${name.slice(at + 1)}\n`);
}

function tensor(given: TensorOf, storages: TensorOf[]): Buffer {
  const { shape } = given;
  const key = String(storages.push(given) - 1);
  const tuple = (values: readonly number[]) => [Buffer.from("("), ...values.map(number), Buffer.from("t")];
  return Buffer.concat([
    global("torch._utils._rebuild_tensor_v2"),
    Buffer.from("(("),
    ...[text("storage"), global("torch.FloatStorage"), text(key), text("cpu"), number(sizeOf(shape))],
    Buffer.from("tQ"),
    number(0),
    ...tuple(shape),
    ...tuple(shape.map((_, axis) => sizeOf(shape.slice(axis + 1)))),
    Buffer.of(0x89),
    Buffer.from("ccollections\nOrderedDict\n)RtR"),
  ]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(Number.isInteger(value) ? 5 : 9, Number.isInteger(value) ? "J" : "G");
  if (Number.isInteger(value)) bytes.writeInt32LE(value, 1);
  else bytes.writeDoubleBE(value, 1);
  return bytes;
}

function text(value: string): Buffer {
  const length = Buffer.alloc(5, "X");
  length.writeUInt32LE(Buffer.byteLength(value), 1);
  return Buffer.concat([length, Buffer.from(value)]);
}
