/** The names of Python's that a pickle of PyTorch's may have, and the data that they stand for here. */
import { type Dtype, dtypes } from "../../checkpoint/dtypes.ts";
import { sizeOf } from "../../shape.ts";
import { asKey } from "./pickle.ts";
import {
  describeValue,
  type PickledStorage,
  type PickledTensor,
  type PickleGlobal,
  type PickleKey,
  type PickleValue,
} from "./pickleValue.ts";

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

/** `OrderedDict()`, or of a list of pairs, as older versions of Python wrote it. */
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
    throw new Error(`a tensor: ${shape.length} sizes and ${strides.length} strides, expected as many`);
  }
  const tensor: PickledTensor = { type: "tensor", storage, offset: start, shape, strides };
  checkWithin(tensor);
  return tensor;
}

/** Nothing of a tensor may lie outside its storage. Numbers that round are far outside. */
function checkWithin({ storage, offset, shape, strides }: PickledTensor): void {
  const last = shape.reduce((place, extent, axis) => place + (extent - 1) * (strides[axis] as number), offset);
  const count = sizeOf(shape);
  if (!Number.isSafeInteger(count)) throw new Error(`a tensor of size [${shape.join(", ")}]: more than 2^53 values`);
  if (count === 0 ? offset <= storage.length : last < storage.length) return;
  const view = `size [${shape.join(", ")}], stride [${strides.join(", ")}] from ${offset}`;
  throw new Error(`a tensor of ${view} reaches beyond the ${storage.length} values of its storage ${storage.key}`);
}

/** `_rebuild_parameter(data, requires_grad, backward_hooks)`, and `Parameter(data)`, as PyTorch before 0.4 wrote it. */
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

/** Everything that is read; a test compares it with what PyTorch writes. */
export const pytorchGlobals: ReadonlyMap<string, PickleGlobal> = new Map(
  (
    [
      { name: "collections.OrderedDict", call: orderedDict },
      { name: "torch._utils._rebuild_tensor_v2", call: rebuildTensor },
      { name: "torch._utils._rebuild_tensor", call: rebuildTensor },
      { name: "torch._utils._rebuild_parameter", call: rebuildParameter },
      { name: "torch.nn.parameter.Parameter", call: rebuildParameter },
      { name: "torch.Size", call: size },
      ...Object.entries(storages).map(([name, stored]) => ({
        name: `torch.${name}`,
        dtype: dtypes.get(stored) as Dtype,
      })),
    ] satisfies Omit<PickleGlobal, "type">[]
  ).map((each) => [each.name, { type: "global", ...each }]),
);

/**
 * The storage that a reference names: `("storage", type, key, location, length)`, and in the older format a view, which has been None since 2018.
 *
 * Throws Error saying what it expected.
 */
export function storageOf(id: PickleValue): PickledStorage {
  const [what, type, key, location, length, view, ...rest] = sequence("a reference", id);
  if (what !== "storage") throw new Error(`a reference to ${describeValue(what)}, expected one to a storage`);
  if (!isObject(type) || type.type !== "global" || !type.dtype) {
    throw new Error(`a storage of ${describeValue(type)}, expected one of the kinds of storage`);
  }
  const isLength = Number.isSafeInteger(length) && (length as number) >= 0;
  if (typeof key !== "string" || typeof location !== "string" || !isLength || rest.length > 0) {
    throw new Error("a storage: expected its kind, key, place and length");
  }
  if (view !== undefined && view !== null) throw new Error("a view of a storage, as PyTorch before 0.4 wrote it");
  return { type: "storage", key, dtype: type.dtype, length: length as number };
}
