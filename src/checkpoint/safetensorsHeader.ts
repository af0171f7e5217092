/** Header of the safetensors format. */
import { CheckpointError, messageOf } from "../errors.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { type Dtype, dtypes } from "./dtypes.ts";

/** A tensor's name and shape. */
export interface NamedShape {
  readonly name: string;
  readonly shape: Shape;
}

/** Location of a tensor in its file, in bytes. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly position: number;
  readonly byteLength: number;
}

/** Header of a safetensors file. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In file order. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** SHA-256 of the file with the 64 digits of this digest as zeros; undefined in files of other programs. */
  readonly checksum: string | undefined;
}

/** Size of the header's length field: a little-endian 64-bit integer at the start of the file. */
export const lengthBytes = 8;

/** Maximum size of a header. Source: huggingface/safetensors, MAX_HEADER_SIZE. */
export const maxHeaderBytes = 100_000_000;

/** Maximum number of objects in a header, one for each tensor: far above any file's, and their description needs 200 MB of memory. */
const MAX_OBJECTS = 100_000;
const OPENING_BRACE = "{".charCodeAt(0);

/** PyTorch's limit on the number of dimensions. */
const MAX_AXES = 64;
const metadataKey = "__metadata__";
const checksumKey = "alexnetSha256";
const noDigest = "0".repeat(64);

/** Start of the headers that this program writes: it fixes the digest's position, so that it can be filled in after the tensors. */
const ownStart = `{"__metadata__":{"${checksumKey}":"`;

/** Position of the checksum's 64 digits in a file of this program. */
export const checksumPosition = lengthBytes + ownStart.length;

/**
 * Encodes the length and header of a file with these tensors, in this order, with zeros for the checksum.
 *
 * Source: huggingface/safetensors, "Format".
 */
export function encodeHeader(metadata: Readonly<Record<string, string>>, tensors: readonly NamedShape[]): Uint8Array {
  // Built by hand: an object would order names that look like numbers first.
  const member = (key: string, value: unknown) => `,${JSON.stringify(key)}:${JSON.stringify(value)}`;
  let end = 0;
  const entries = tensors.map(({ name, shape }) => {
    const begin = end;
    end += sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT;
    return member(name, { dtype: "F32", shape, data_offsets: [begin, end] });
  });
  const strings = Object.entries(metadata).map(([key, value]) => member(key, value));
  const json = `${ownStart}${noDigest}"${strings.join("")}}${entries.join("")}}`;
  const text = new TextEncoder().encode(json);
  const padded = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(lengthBytes + padded).fill(" ".charCodeAt(0));
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(text, lengthBytes);
  return bytes;
}

/** A copy with zeros for the checksum: the input of the checksum. */
export function withoutChecksum(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy.set(new TextEncoder().encode(noDigest), checksumPosition);
  return copy;
}

/**
 * Parses a header (without its length) of a file with `dataBytes` bytes after it.
 *
 * Throws CheckpointError unless the tensors have known types and fill those bytes exactly, in order.
 */
export function parseHeader(path: string, bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
  const root = parseJson(path, bytes);
  if (!isMap(root)) throw corruptFile(path, "its header is wrong: expected an object");
  const metadata = parseMetadata(path, root.get(metadataKey));
  const checksum = metadata.get(checksumKey);
  metadata.delete(checksumKey);
  const dataStart = lengthBytes + bytes.length;
  const tensors = [...root]
    .filter(([name]) => name !== metadataKey)
    .map(([name, entry]) => parseTensor(path, name, entry, dataStart))
    .sort(([, a], [, b]) => a.position - b.position || a.byteLength - b.byteLength);
  let end = dataStart;
  for (const [name, { position, byteLength }] of tensors) {
    if (position !== end) throw corruptFile(path, `${name} begins at byte ${position}, expected ${end}`);
    end += byteLength;
  }
  if (end !== dataStart + dataBytes) {
    throw corruptFile(path, `expected ${end} bytes by its header, got ${dataStart + dataBytes}`);
  }
  return { metadata: Object.fromEntries(metadata), tensors: new Map(tensors), checksum };
}

function isMap(value: StrictJson | undefined): value is ReadonlyMap<string, StrictJson> {
  return value instanceof Map;
}

function parseJson(path: string, bytes: Uint8Array): StrictJson {
  // The format requires this first byte; padding is allowed only at the end.
  if (bytes.length > 0 && bytes[0] !== "{".charCodeAt(0))
    throw corruptFile(path, "its header is wrong: expected an object");
  const objects = bytes.reduce((count, byte) => (byte === OPENING_BRACE ? count + 1 : count), 0);
  if (objects > MAX_OBJECTS) throw corruptFile(path, "expected at most 100,000 tensors, got more");
  try {
    return parseStrictJson(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw corruptFile(path, `its header is not JSON: ${messageOf(cause)}`, cause);
  }
}

function parseMetadata(path: string, entry: StrictJson | undefined): Map<string, string> {
  if (entry === undefined) return new Map();
  if (!isMap(entry)) throw corruptFile(path, `its header is wrong: ${metadataKey}: expected an object`);
  const strings = [...entry].map(([key, value]): [string, string] => {
    if (typeof value === "string") return [key, value];
    throw corruptFile(path, `its header is wrong: ${metadataKey}: ${key}: expected a string`);
  });
  return new Map(strings);
}

function parseTensor(path: string, name: string, entry: StrictJson, dataStart: number): [string, StoredTensor] {
  if (!isMap(entry)) throw corruptFile(path, `${name}: expected an object with dtype, shape and data_offsets`);
  const dtypeName = entry.get("dtype");
  const dtype = typeof dtypeName === "string" ? dtypes.get(dtypeName) : undefined;
  if (!dtype) {
    const known = [...dtypes.keys()].join(", ");
    throw new CheckpointError(
      `${path}: ${name}: expected values of type ${known}, got ${String(dtypeName)}; convert the file first`,
    );
  }
  const shape = parseExtents(path, name, "shape", entry.get("shape"));
  const [begin, end, ...more] = parseExtents(path, name, "data_offsets", entry.get("data_offsets"));
  if (begin === undefined || end === undefined || more.length > 0 || begin > end) {
    throw corruptFile(path, `${name}: expected two data_offsets, the first not beyond the second`);
  }
  const byteLength = shape.reduce((product, extent) => exactProduct(path, name, product, extent), dtype.byteLength);
  if (byteLength !== end - begin) {
    throw corruptFile(
      path,
      `${name}: ${dtype.name} of shape [${shape.join(", ")}] does not fill its ${end - begin} bytes`,
    );
  }
  return [name, { dtype, shape, position: dataStart + begin, byteLength }];
}

/** Rounding never turns a product above 2^53 into one below, so a product that looks exact is exact. */
function exactProduct(path: string, name: string, a: number, b: number): number {
  if (Number.isSafeInteger(a * b)) return a * b;
  throw corruptFile(path, `${name}: its shape has more than 2^53 bytes`);
}

function parseExtents(path: string, name: string, key: string, value: StrictJson | undefined): readonly number[] {
  const isExtent = (item: StrictJson): item is number => typeof item === "number" && item >= 0;
  if (Array.isArray(value) && value.length <= MAX_AXES && value.every(isExtent)) return value;
  throw corruptFile(path, `${name}: ${key}: expected up to ${MAX_AXES} whole numbers from 0 to 2^53 - 1`);
}

/** The command that imports a file or folder of another program. */
export function importCommand(path: string): string {
  return `alexnet import ${path} --run DIR`;
}

/** Error for a file that is truncated, modified, or not a safetensors file. */
export function corruptFile(path: string, detail: string, cause?: unknown): CheckpointError {
  return new CheckpointError(`${path}: corrupt, or not a safetensors file: ${detail}`, { cause });
}

/**
 * JSON as file headers require it; JSON.parse is too lenient. Keys are unique, `__proto__` is an ordinary name, numbers are exact integers or NaN,
 * and nesting is limited. One function is long: its parts share the position in the text.
 */
type StrictJson = string | number | boolean | null | readonly StrictJson[] | ReadonlyMap<string, StrictJson>;

/** Maximum nesting of a header. */
const MAX_DEPTH = 8;
/** Maximum length of an f64's text. */
const MAX_NUMBER_LENGTH = 32;

/** Parses text. Numbers other than integers from 0 to 2^53 − 1 become NaN. Throws SyntaxError with the problem and its position. */
function parseStrictJson(text: string): StrictJson {
  let at = 0;
  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at character ${at}`);
  };
  const skipSpace = () => {
    while (isSpace(text.charCodeAt(at))) at++;
  };
  const next = (expected: string) => {
    skipSpace();
    if (text[at] !== expected) fail(`expected ${expected}, got ${text[at] ?? "the end"}`);
    at++;
  };
  const follows = (character: string): boolean => {
    skipSpace();
    if (text[at] !== character) return false;
    at++;
    return true;
  };

  function readString(): string {
    next('"');
    const begin = at - 1;
    for (; text[at] !== '"'; at++) {
      if (text[at] === "\\") at++;
      if (at >= text.length) fail("a string without an end");
    }
    at++;
    try {
      return JSON.parse(text.slice(begin, at)) as string;
    } catch {
      return fail("a string that is not JSON");
    }
  }

  function readObject(depth: number): ReadonlyMap<string, StrictJson> {
    const members = new Map<string, StrictJson>();
    next("{");
    if (follows("}")) return members;
    do {
      const key = readString();
      if (members.has(key)) fail(`"${key}" for the second time`);
      next(":");
      members.set(key, readValue(depth + 1));
    } while (follows(","));
    next("}");
    return members;
  }

  function readArray(depth: number): readonly StrictJson[] {
    const values: StrictJson[] = [];
    next("[");
    if (follows("]")) return values;
    do values.push(readValue(depth + 1));
    while (follows(","));
    next("]");
    return values;
  }

  function readLiteral(): StrictJson {
    const begin = at;
    while (at - begin <= MAX_NUMBER_LENGTH && isWordCharacter(text.charCodeAt(at))) at++;
    const word = text.slice(begin, at);
    if (words.has(word)) return words.get(word) as boolean | null;
    if (!numberPattern.test(word) || isWordCharacter(text.charCodeAt(at)))
      fail(`expected a value, got ${word || (text[at] ?? "the end")}`);
    const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    return Number.isSafeInteger(value) ? value : Number.NaN;
  }

  function readValue(depth: number): StrictJson {
    if (depth > MAX_DEPTH) fail(`more than ${MAX_DEPTH} levels`);
    skipSpace();
    if (text[at] === "{") return readObject(depth);
    if (text[at] === "[") return readArray(depth);
    return text[at] === '"' ? readString() : readLiteral();
  }

  const value = readValue(1);
  skipSpace();
  return at < text.length ? fail("more than one value") : value;
}

const words: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["null", null],
]);
const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** True for characters of numbers, `true`, `false` and `null`: letters, digits, point and signs. */
function isWordCharacter(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x7a) || [0x2b, 0x2d, 0x2e, 0x45].includes(code);
}
