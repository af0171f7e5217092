/** Tensors of a state dict: building them from pickles, and reading their values. */

import { type Dtype, dtypes } from "../../checkpoint/dtypes.ts";
import { sizeOf } from "../../shape.ts";
import { copyStrided, isContiguous } from "../values.ts";
import { asKey } from "./pickle.ts";
import {
  describeValue,
  type PickledStorage,
  type PickledTensor,
  type PickleGlobal,
  type PickleKey,
  type PickleValue,
} from "./pickleFormat.ts";

/** Source: PyTorch, torch/__init__.py, the storage classes. */
const storages: Readonly<Record<string, string>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

const MAX_AXES = 64;

type Arguments = readonly PickleValue[];

/** `OrderedDict()`, optionally with a list of pairs, as written by older Python versions. */
function orderedDict([pairs, ...rest]: Arguments): PickleValue {
  const items = new Map<PickleKey, PickleValue>();
  if (rest.length > 0) throw new Error("collections.OrderedDict: expected a list of pairs");
  for (const pair of pairs === undefined ? [] : sequence("collections.OrderedDict", pairs)) {
    const [key, value, ...more] = sequence("collections.OrderedDict", pair);
    if (value === undefined || more.length > 0) throw new Error("collections.OrderedDict: expected a list of pairs");
    items.set(asKey(key), value);
  }
  return { type: "dict", items };
}

/** `_rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks)`; the first version has the first four. */
function rebuildTensor([storage, offset, size, stride]: Arguments): PickledTensor {
  if (!isObject(storage) || storage.type !== "storage") {
    throw new Error(`a tensor: expected a storage, got ${describeValue(storage)}`);
  }
  const shape = extents("size", size);
  const strides = extents("stride", stride);
  const [start = 0] = extents("storage_offset", { type: "tuple", items: [offset ?? null] });
  if (shape.length !== strides.length) {
    throw new Error(`a tensor: expected ${shape.length} strides, got ${strides.length}`);
  }
  const tensor: PickledTensor = { type: "tensor", storage, offset: start, shape, strides };
  checkWithin(tensor);
  return tensor;
}

/** Checks that a tensor lies inside its storage. Numbers too large to be exact are far outside. */
function checkWithin({ storage, offset, shape, strides }: PickledTensor): void {
  const last = shape.reduce((place, extent, axis) => place + (extent - 1) * (strides[axis] as number), offset);
  const count = sizeOf(shape);
  if (!Number.isSafeInteger(count)) throw new Error(`a tensor of size [${shape.join(", ")}]: more than 2^53 values`);
  if (count === 0 ? offset <= storage.length : last < storage.length) return;
  const view = `size [${shape.join(", ")}], stride [${strides.join(", ")}] from ${offset}`;
  throw new Error(`a tensor of ${view} exceeds the ${storage.length} values of its storage ${storage.key}`);
}

/** `_rebuild_parameter(data, requires_grad, backward_hooks)`, and `Parameter(data)`, as written by PyTorch before 0.4. */
function rebuildParameter([tensor]: Arguments): PickledTensor {
  if (isObject(tensor) && tensor.type === "tensor") return tensor;
  throw new Error(`a parameter: expected a tensor, got ${describeValue(tensor)}`);
}

function size([extentsOf]: Arguments): PickleValue {
  return { type: "tuple", items: [...extents("torch.Size", extentsOf)] };
}

function extents(what: string, value: PickleValue | undefined): readonly number[] {
  const items = sequence(what, value);
  const isExtent = (item: PickleValue): item is number => Number.isSafeInteger(item) && (item as number) >= 0;
  if (items.length <= MAX_AXES && items.every(isExtent)) return items;
  throw new Error(`a tensor: ${what}: expected up to ${MAX_AXES} whole numbers of 0 or more`);
}

function sequence(what: string, value: PickleValue | undefined): readonly PickleValue[] {
  if (isObject(value) && (value.type === "list" || value.type === "tuple")) return value.items;
  throw new Error(`${what}: expected a list, got ${describeValue(value)}`);
}

function isObject(value: PickleValue | undefined): value is Extract<PickleValue, object> {
  return typeof value === "object" && value !== null;
}

/**
 * Classes of what training programs save beside the weights: arguments, paths, scores. Their values are skipped, and none of their code is run.
 */
const opaqueNames: readonly string[] = [
  "argparse.Namespace",
  "builtins.bytearray",
  "builtins.complex",
  "builtins.frozenset",
  "builtins.set",
  "__builtin__.set",
  "_codecs.encode",
  "collections.Counter",
  "collections.defaultdict",
  "builtins.dict",
  "builtins.int",
  "lightning.fabric.utilities.data.AttributeDict",
  "lightning_fabric.utilities.data.AttributeDict",
  "pytorch_lightning.utilities.parsing.AttributeDict",
  "lightning.pytorch.utilities.parsing.AttributeDict",
  ...["numpy.core.multiarray", "numpy._core.multiarray"].flatMap((module) => [
    `${module}.scalar`,
    `${module}._reconstruct`,
  ]),
  "numpy.dtype",
  "numpy.ndarray",
  ...["pathlib", "pathlib._local"].flatMap((module) =>
    ["Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath"].map(
      (name) => `${module}.${name}`,
    ),
  ),
  "torch.device",
  "torch.torch_version.TorchVersion",
];

/** All allowed names; a test compares them with PyTorch's output. */
export const pytorchGlobals: ReadonlyMap<string, PickleGlobal> = new Map(
  (
    [
      { name: "collections.OrderedDict", call: orderedDict },
      { name: "torch._utils._rebuild_tensor_v2", call: rebuildTensor },
      { name: "torch._utils._rebuild_tensor", call: rebuildTensor },
      { name: "torch._utils._rebuild_parameter", call: rebuildParameter },
      { name: "torch.nn.parameter.Parameter", call: rebuildParameter },
      { name: "torch.Size", call: size },
      ...opaqueNames.map((name) => ({ name, call: () => ({ type: "opaque" as const, name }) })),
      ...Object.entries(storages).map(([name, stored]) => ({
        name: `torch.${name}`,
        dtype: dtypes.get(stored) as Dtype,
      })),
    ] satisfies Omit<PickleGlobal, "type">[]
  ).map((each) => [each.name, { type: "global", ...each }]),
);

/**
 * Resolves a storage reference: `("storage", type, key, location, length)`. In the older format a view follows, which has been None since
 * 2018.
 *
 * Throws Error with what it expected.
 */
export function storageOf(id: PickleValue): PickledStorage {
  const [what, type, key, location, length, view, ...rest] = sequence("a reference", id);
  if (what !== "storage") throw new Error(`a reference to ${describeValue(what)}, expected one to a storage`);
  if (!isObject(type) || type.type !== "global" || !type.dtype) {
    throw new Error(`a storage of ${describeValue(type)}, expected a storage class`);
  }
  const isLength = Number.isSafeInteger(length) && (length as number) >= 0;
  if (typeof key !== "string" || typeof location !== "string" || !isLength || rest.length > 0) {
    throw new Error("a storage: expected its type, key, location and length");
  }
  if (view !== undefined && view !== null) throw new Error("a view of a storage, as PyTorch before 0.4 wrote it");
  return { type: "storage", key, dtype: type.dtype, length: length as number };
}

/** Values of a tensor in order, from all bytes of its storage; a view if contiguous. */
export function gather(tensor: PickledTensor, storage: Uint8Array): Uint8Array {
  const { offset, shape } = tensor;
  const { byteLength } = tensor.storage.dtype;
  const count = sizeOf(shape);
  if (count === 0 || isContiguous(tensor)) {
    return storage.subarray(offset * byteLength, (offset + count) * byteLength);
  }
  const bytes = new Uint8Array(count * byteLength);
  // Copied as unsigned integers, so that NaN payloads are preserved.
  const word = words[byteLength] ?? Uint8Array;
  const aligned = storage.byteOffset % byteLength === 0 ? storage : new Uint8Array(storage);
  const from = new word(aligned.buffer as ArrayBuffer, aligned.byteOffset, storage.length / byteLength);
  copyStrided<number | bigint>(from, new word(bytes.buffer), tensor);
  return bytes;
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;
const words: Readonly<Record<number, new (buffer: ArrayBuffer, offset?: number, length?: number) => Words>> = {
  1: Uint8Array,
  2: Uint16Array,
  4: Uint32Array,
  8: BigUint64Array,
};
