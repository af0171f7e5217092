/** The format of torch.save before 1.6. */
import { DataError } from "../../errors.ts";
import { type ByteSource, readPiece } from "../containers/byteSource.ts";
import { type PickleHost, unpickle } from "./pickle.ts";
import type { PickleDict, PickledStorage, PickleValue, StorageReader } from "./pickleValue.ts";

/** Source: PyTorch, torch/serialization.py, MAGIC_NUMBER and PROTOCOL_VERSION. */
const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;
/** Before each storage: how many values it has. */
const lengthBytes = 8;

/** What a file of the format before PyTorch 1.6 holds. */
export interface LegacyContent {
  readonly root: PickleValue;
  readonly storages: ReadonlyMap<string, StorageReader>;
}

/** No data: it names nothing, and refers to nothing. */
const plain: PickleHost = {
  globals: new Map(),
  persistent() {
    throw new Error("a reference where none belongs");
  },
};

/**
 * Reads a file whose first bytes, the pickles at least, are `bytes`. `named` are the storages that `host` was asked for.
 *
 * Throws DataError unless the pickles are those of the format, and the storages that they name fill the rest of the file.
 */
export async function readLegacy(
  source: ByteSource,
  bytes: Uint8Array,
  host: PickleHost,
  named: ReadonlyMap<string, PickledStorage>,
): Promise<LegacyContent> {
  const { path } = source;
  // A pickle begins so; this keeps a picture or a text from being called a damaged pickle.
  if (bytes[0] !== 0x80) throw notPytorch(path);
  const magic = unpickle(path, bytes, plain);
  if (magic.value !== magicNumber) throw notPytorch(path);
  const version = unpickle(path, bytes, plain, magic.end);
  if (version.value !== protocolVersion)
    throw new DataError(`${path}: expected format ${protocolVersion} of torch.save`);
  const system = unpickle(path, bytes, plain, version.end);
  if (asDict(system.value)?.items.get("little_endian") !== true) {
    throw new DataError(`${path}: expected values with the lowest byte first; save it on another machine`);
  }
  const data = unpickle(path, bytes, host, system.end);
  const keys = unpickle(path, bytes, plain, data.end);
  return { root: data.value, storages: await placeStorages(source, keysOf(path, keys.value, named), keys.end) };
}

/** Each storage follows the one before. */
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
    if (end > size) throw new DataError(`${path}: damaged: it ends at byte ${size}, before storage ${key} does`);
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

/** The storages in the order of the file: each one that is named, once. */
function keysOf(path: string, keys: PickleValue, named: ReadonlyMap<string, PickledStorage>): PickledStorage[] {
  const items = typeof keys === "object" && keys?.type === "list" ? keys.items : [];
  const storages = items.map((key) => (typeof key === "string" ? named.get(key) : undefined));
  const known = storages.filter((storage) => storage !== undefined);
  if (known.length === items.length && new Set(known).size === named.size && items.length === named.size) return known;
  throw new DataError(`${path}: damaged: its list of storages is not that of its tensors`);
}

function asDict(value: PickleValue): PickleDict | undefined {
  return typeof value === "object" && value?.type === "dict" ? value : undefined;
}

function notPytorch(path: string): DataError {
  return new DataError(
    `${path}: not a file of torch.save: expected a zip file, or the pickles of a version before 1.6`,
  );
}
