/** State dicts: building tensors from pickles, finding them in a checkpoint, and reading their values. */

import { type Dtype, dtypes } from "../../checkpoint/dtypes.ts";
import { sizeOf } from "../../shape.ts";
import type { WeightsChoice } from "../format.ts";
import { asKey } from "./pickle.ts";
import {
  describeValue,
  type PickleDict,
  type PickledStorage,
  type PickledTensor,
  type PickleGlobal,
  type PickleKey,
  type PickleValue,
} from "./pickleFormat.ts";

/** Usual keys of a checkpoint's weights, the most specific first. */
const usualNames: readonly string[] = ["state_dict", "model_state_dict", "model", "net", "network", "weights"];
/**
 * Keys of averaged weights: timm's `state_dict_ema`, torchvision's `model_ema`, and others. Source: timm, utils/checkpoint_saver.py;
 * torchvision, references/classification/train.py.
 */
const averagedName = /(?:^|_)(?:ema|swa|averaged)(?:_|$)/;
/** Lightning's weights of training, where `state_dict` is their average. Source: lightning, callbacks/weight_averaging.py. */
const CURRENT = "current_model_state";
/** Maximum depth of a state dict in a checkpoint. */
const MAX_DEPTH = 4;

/** A state dict, and a note if the file contains another of the same weights. */
export interface FoundStateDict {
  readonly tensors: ReadonlyMap<string, PickledTensor>;
  readonly note?: string;
}

/**
 * Returns the tensors of a state dict: the value itself, or a dict inside it. Among several, such as an optimizer's state, a usual name
 * wins, then the only one closest to the root. `choice` decides between the weights of training and their moving average; by default the
 * usual name wins here too.
 *
 * Throws Error with what it found instead.
 */
export function findStateDict(root: PickleValue, choice?: WeightsChoice): FoundStateDict {
  const seen = new Set<PickleDict>();
  let level: readonly Found[] = isDict(root) ? [{ path: [], dict: root }] : [];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0; depth++) {
    const fresh = level.filter(({ dict }) => !seen.has(dict) && seen.add(dict));
    const candidates = fresh.flatMap(({ path, dict }) => {
      const tensors = tensorsOf(dict);
      return tensors ? [{ path, tensors }] : [];
    });
    const chosen = chooseAmong(candidates, choice);
    if (chosen) return { tensors: chosen.tensors, ...noteOn(chosen, candidates) };
    if (candidates.length > 1) {
      const names = candidates.map(({ path }) => path.join("."));
      throw new Error(`several dicts of tensors: ${names.join(", ")}; save only the wanted one`);
    }
    level = fresh.flatMap(nested).toSorted((a, b) => (rankOf(a.path) ?? Infinity) - (rankOf(b.path) ?? Infinity));
  }
  throw new Error("expected a state dict (tensors by name), or a dict that contains one");
}

interface Candidate {
  readonly path: readonly string[];
  readonly tensors: ReadonlyMap<string, PickledTensor>;
}

/** Throws Error if the wanted weights are not among the candidates. */
function chooseAmong(candidates: readonly Candidate[], choice: WeightsChoice | undefined): Candidate | undefined {
  const usual = candidates.find(({ path }) => rankOf(path) !== undefined);
  if (choice === undefined || candidates.length === 0) return candidates.length === 1 ? candidates[0] : usual;
  const wanted = candidates.filter((candidate) => isAveraged(candidate, candidates) === (choice === "ema"));
  const found = wanted.find(({ path }) => rankOf(path) !== undefined) ?? wanted[0];
  if (found) return found;
  const names = candidates.map(({ path }) => path.join(".") || "one state dict");
  const expected =
    choice === "ema" ? "averaged weights, such as state_dict_ema or model_ema" : "the weights of training";
  throw new Error(`expected ${expected}, got ${names.join(", ")}; remove --weights ${choice}`);
}

/** True for a moving average of the weights of training. */
function isAveraged({ path, tensors }: Candidate, candidates: readonly Candidate[]): boolean {
  const name = path.at(-1) ?? "";
  const hasCurrent = candidates.some((other) => other.path.at(-1) === CURRENT);
  return averagedName.test(name) || tensors.has("n_averaged") || (hasCurrent && name !== CURRENT);
}

/** Names the other weights of a file that has both. */
function noteOn(chosen: Candidate, candidates: readonly Candidate[]): Pick<FoundStateDict, "note"> {
  const averaged = isAveraged(chosen, candidates);
  const other = candidates.find(
    (each) => isAveraged(each, candidates) !== averaged && [...each.tensors.keys()].some((key) => key !== "n_averaged"),
  );
  if (!other) return {};
  const [name, otherName] = [chosen, other].map(({ path }) => path.join("."));
  const [what, flag] = averaged ? ["the weights of training", "raw"] : ["their moving average", "ema"];
  return { note: `weights: ${name}; the file also has ${what}, ${otherName}: --weights ${flag} reads them` };
}

interface Found {
  readonly path: readonly string[];
  readonly dict: PickleDict;
}

function nested({ path, dict }: Found): readonly Found[] {
  return [...dict.items].flatMap(([key, value]) =>
    isDict(value) ? [{ path: [...path, String(key)], dict: value }] : [],
  );
}

function rankOf(path: readonly string[]): number | undefined {
  const rank = usualNames.indexOf(path.at(-1) ?? "");
  return rank < 0 ? undefined : rank;
}

function isDict(value: PickleValue): value is PickleDict {
  return typeof value === "object" && value !== null && value.type === "dict";
}

function tensorsOf({ items }: PickleDict): ReadonlyMap<string, PickledTensor> | undefined {
  const tensors = new Map<string, PickledTensor>();
  for (const [key, value] of items) {
    if (typeof key !== "string" || typeof value !== "object" || value?.type !== "tensor") return undefined;
    tensors.set(key, value);
  }
  return tensors.size > 0 ? tensors : undefined;
}

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

/** True if the values are contiguous and in order. */
export function isContiguous({ shape, strides }: PickledTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const extent = shape[axis] as number;
    if (extent !== 1 && strides[axis] !== expected) return false;
    expected *= extent;
  }
  return true;
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
  copyStrided(tensor, from, new word(bytes.buffer));
  return bytes;
}

type Words = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;
const words: Readonly<Record<number, new (buffer: ArrayBuffer, offset?: number, length?: number) => Words>> = {
  1: Uint8Array,
  2: Uint16Array,
  4: Uint32Array,
  8: BigUint64Array,
};

/** Copies by iterating over the indices, last axis fastest, while tracking the source offset. */
function copyStrided({ offset, shape, strides }: PickledTensor, from: Words, to: Words): void {
  const index = shape.map(() => 0);
  let place = offset;
  for (let i = 0; i < to.length; i++) {
    to[i] = from[place] as number & bigint;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      place += strides[axis] as number;
      index[axis] = next;
      if (next < (shape[axis] as number)) break;
      index[axis] = 0;
      place -= next * (strides[axis] as number);
    }
  }
}
