/**
 * Reads `.pth` and `.pt` files: a state dict, or a checkpoint that contains one, as written by `torch.save`. No Python code is run.
 *
 * Source: PyTorch, torch/serialization.py. The format since 1.6 is a zip file with the pickle `data.pkl` and one file per storage. The
 * older one is five pickles (a magic number, a version, the system's sizes, the data, the storages' keys), then the storages.
 */
import type { StoredValues } from "../../checkpoint/dtypes.ts";
import type { NamedShape } from "../../checkpoint/safetensorsHeader.ts";
import { bytesOf } from "../../checkpoint/safetensorsWriter.ts";
import { DataError, messageOf, ShapeError } from "../../errors.ts";
import { sizeOf } from "../../shape.ts";
import { type ByteSource, readPiece } from "../containers/byteSource.ts";
import { readEntry, readZip, type ZipEntry } from "../containers/zip.ts";
import type { WeightsChoice } from "../format.ts";
import { isContiguous } from "../values.ts";
import { findStateDict } from "./findStateDict.ts";
import { type PickleHost, unpickle } from "./pickle.ts";
import type { PickleDict, PickledStorage, PickledTensor, PickleValue, StorageReader } from "./pickleFormat.ts";
import { gather, pytorchGlobals, storageOf } from "./stateDict.ts";

/** A state dict whose values are still in the file. */
export interface PytorchFile {
  /** Names the other weights of a file that has those of training and their average. */
  readonly note?: string;
  readonly tensors: readonly NamedShape[];
  /** Reads a tensor as f32, into `into` if given. Throws DataError if the tensor is missing or damaged. */
  read(name: string, into?: Float32Array): Promise<Float32Array>;
  /** Reads a tensor's values in their stored type, in order. */
  readStored(name: string): Promise<StoredValues>;
}

/** Maximum pickle size: it holds names and offsets, not values. */
const MAX_PICKLE_BYTES = 1 << 24;

/**
 * Opens a file and reads its list of tensors.
 *
 * Throws DataError for damaged data, forbidden pickle contents, or a file without a state dict.
 */
export async function readPytorch(source: ByteSource, choice?: WeightsChoice): Promise<PytorchFile> {
  const start = await readPiece(source, 0, Math.min(4, source.size));
  const isZip = start.length === 4 && start.readUInt32LE() === 0x04034b50;
  const { root, storages } = await (isZip ? readZipFormat(source) : readOlderFormat(source));
  return stateDictFile(source, root, storages, choice);
}

interface Content {
  readonly root: PickleValue;
  readonly storages: ReadonlyMap<string, StorageReader>;
}

/** Records the storages a pickle refers to, and checks that references agree. */
function collectingHost(): { readonly host: PickleHost; readonly named: ReadonlyMap<string, PickledStorage> } {
  const named = new Map<string, PickledStorage>();
  const persistent = (id: PickleValue): PickledStorage => {
    const storage = storageOf(id);
    const before = named.get(storage.key) ?? storage;
    const same = before.dtype === storage.dtype && before.length === storage.length;
    if (!same) throw new Error(`storage ${storage.key} has two types`);
    named.set(storage.key, before);
    return before;
  };
  return { host: { globals: pytorchGlobals, persistent }, named };
}

async function readZipFormat(source: ByteSource): Promise<Content> {
  const { path } = source;
  const entries = await readZip(source);
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    throw new DataError(
      `${path}: expected a zip file with one data.pkl, as torch.save writes it, got ${pickles.length}`,
    );
  }
  const folder = pickle.slice(0, -"data.pkl".length);
  if (entries.has(`${folder}constants.pkl`)) {
    throw new DataError(`${path}: a TorchScript program, not weights; in Python: torch.save(model.state_dict(), FILE)`);
  }
  await checkByteOrder(source, entries.get(`${folder}byteorder`));
  const entry = entries.get(pickle) as ZipEntry;
  checkPickleLength(path, entry.size);
  const { host, named } = collectingHost();
  const { value } = unpickle(path, await readEntry(source, entry), host);
  const storages = new Map<string, StorageReader>();
  for (const { key, dtype, length } of named.values()) {
    const data = entries.get(`${folder}data/${key}`);
    if (!data) throw new DataError(`${path}: damaged: storage ${key} is missing`);
    if (data.size !== length * dtype.byteLength) {
      throw new DataError(
        `${path}: damaged: storage ${key}: expected ${length} values of ${dtype.name}, got ${data.size} bytes`,
      );
    }
    storages.set(key, { read: (into) => readEntry(source, data, into) });
  }
  return { root: value, storages };
}

async function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return;
  const order = entry.size > 16 ? "" : Buffer.from(await readEntry(source, entry)).toString("latin1");
  if (order !== "little")
    throw new DataError(`${source.path}: expected byte order "little", got ${JSON.stringify(order)}`);
}

async function readOlderFormat(source: ByteSource): Promise<Content> {
  const bytes = await readPiece(source, 0, Math.min(source.size, MAX_PICKLE_BYTES));
  const { host, named } = collectingHost();
  return readLegacy(source, bytes, host, named);
}

function checkPickleLength(path: string, length: number): void {
  if (length <= MAX_PICKLE_BYTES) return;
  throw new DataError(
    `${path}: expected a pickle of at most ${MAX_PICKLE_BYTES} bytes (names, not values), got ${length}`,
  );
}

function stateDictFile(
  source: ByteSource,
  root: PickleValue,
  storages: ReadonlyMap<string, StorageReader>,
  choice: WeightsChoice | undefined,
): PytorchFile {
  const { path } = source;
  const { tensors, note } = explaining(path, () => findStateDict(root, choice));
  for (const [name, { shape }] of tensors) checkCount(source, name, shape);
  // Tensors that share a storage usually follow each other.
  let last: { readonly key: string; readonly bytes: Uint8Array } | undefined;
  const bytesOfStorage = async (key: string): Promise<Uint8Array> => {
    if (last?.key !== key) last = { key, bytes: await find(path, storages, key).read() };
    return last.bytes;
  };
  const stored = async (name: string): Promise<Uint8Array> => {
    const tensor = find(path, tensors, name);
    return gather(tensor, await bytesOfStorage(tensor.storage.key));
  };
  return {
    ...(note !== undefined && { note }),
    tensors: [...tensors].map(([name, { shape }]) => ({ name, shape })),
    async read(name, into) {
      const tensor = find(path, tensors, name);
      const values = into ?? new Float32Array(sizeOf(tensor.shape));
      if (values.length !== sizeOf(tensor.shape)) {
        throw new ShapeError(`${name}: expected room for ${sizeOf(tensor.shape)} values, got ${values.length}`);
      }
      if (isWholeF32(tensor)) await find(path, storages, tensor.storage.key).read(bytesOf(values));
      else tensor.storage.dtype.toFloat32(await stored(name), values);
      return values;
    },
    readStored: async (name) => find(path, tensors, name).storage.dtype.view(await stored(name)),
  };
}

/** True for a contiguous f32 tensor that fills its storage, which is then read directly into the destination. */
function isWholeF32(tensor: PickledTensor): boolean {
  const { storage, shape } = tensor;
  return storage.dtype.name === "F32" && sizeOf(shape) === storage.length && isContiguous(tensor);
}

/** Rejects views that repeat values (stride 0) beyond the size of the file. */
function checkCount({ path, size }: ByteSource, name: string, shape: readonly number[]): void {
  if (shape.includes(0) || sizeOf(shape) <= size) return;
  throw new DataError(
    `${path}: ${name}: ${sizeOf(shape)} values in a file of ${size} bytes; save it as a contiguous tensor`,
  );
}

function find<T>(path: string, among: ReadonlyMap<string, T>, name: string): T {
  const found = among.get(name);
  if (found === undefined) throw new DataError(`${path}: tensor "${name}" is missing`);
  return found;
}

function explaining<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new DataError(`${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Source: PyTorch, torch/serialization.py, MAGIC_NUMBER and PROTOCOL_VERSION. */
const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;
/** Size of the value count before each storage. */
const lengthBytes = 8;

/** Resolver of the surrounding pickles, which must not contain names or references. */
const plain: PickleHost = {
  globals: new Map(),
  persistent() {
    throw new Error("an unexpected reference");
  },
};

/**
 * Reads a file whose first bytes, at least all pickles, are `bytes`. `named` is filled by `host` with the storages.
 *
 * Throws DataError unless the pickles are those of the format and their storages fill the rest of the file.
 */
async function readLegacy(
  source: ByteSource,
  bytes: Uint8Array,
  host: PickleHost,
  named: ReadonlyMap<string, PickledStorage>,
): Promise<Content> {
  const { path } = source;
  // Check the first bytes of a pickle, so that an image or a text is not reported as a damaged pickle.
  if (bytes[0] !== 0x80) throw notPytorch(path);
  const magic = unpickle(path, bytes, plain);
  if (magic.value !== magicNumber) throw notPytorch(path);
  const version = unpickle(path, bytes, plain, magic.end);
  if (version.value !== protocolVersion)
    throw new DataError(`${path}: expected format ${protocolVersion} of torch.save`);
  const system = unpickle(path, bytes, plain, version.end);
  if (asDict(system.value)?.items.get("little_endian") !== true) {
    throw new DataError(`${path}: expected little-endian values; save it on another machine`);
  }
  const data = unpickle(path, bytes, host, system.end);
  const keys = unpickle(path, bytes, plain, data.end);
  return { root: data.value, storages: await placeStorages(source, keysOf(path, keys.value, named), keys.end) };
}

/** Locates each storage; they are consecutive. */
async function placeStorages(
  source: ByteSource,
  storages: readonly PickledStorage[],
  start: number,
): Promise<ReadonlyMap<string, StorageReader>> {
  const { path, size } = source;
  const placed = new Map<string, StorageReader>();
  let end = start;
  for (const { key, dtype, length } of storages) {
    const position = end + lengthBytes;
    const claimed = (await readPiece(source, end, lengthBytes)).readBigUInt64LE();
    if (claimed !== BigInt(length)) {
      throw new DataError(`${path}: damaged: storage ${key}: expected ${length} values, got ${claimed}`);
    }
    end = position + length * dtype.byteLength;
    if (end > size) throw new DataError(`${path}: damaged: it ends at byte ${size}, inside storage ${key}`);
    placed.set(key, {
      async read(into) {
        if (!into) return readPiece(source, position, length * dtype.byteLength);
        await source.read(position, into);
        return into;
      },
    });
  }
  if (end !== size) throw new DataError(`${path}: damaged: expected ${end} bytes, got ${size}`);
  return placed;
}

/** Storages in file order, each exactly once. */
function keysOf(path: string, keys: PickleValue, named: ReadonlyMap<string, PickledStorage>): PickledStorage[] {
  const items = typeof keys === "object" && keys?.type === "list" ? keys.items : [];
  const storages = items.map((key) => (typeof key === "string" ? named.get(key) : undefined));
  const known = storages.filter((storage) => storage !== undefined);
  if (known.length === items.length && new Set(known).size === named.size && items.length === named.size) return known;
  throw new DataError(`${path}: damaged: its list of storages does not match its tensors`);
}

function asDict(value: PickleValue): PickleDict | undefined {
  return typeof value === "object" && value?.type === "dict" ? value : undefined;
}

function notPytorch(path: string): DataError {
  return new DataError(
    `${path}: expected a file written by torch.save: a zip file, or the pickles of a version before 1.6`,
  );
}
