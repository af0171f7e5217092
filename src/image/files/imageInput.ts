/** Images passed to the library: a file, its bytes, or pixels. */
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { DataError } from "../../errors.ts";
import type { Image } from "../image.ts";
import { decodeBytes, decodeImage, onWhite } from "./decode.ts";

/** Pixels in memory: 8 bits per channel, row by row from the top, channels interleaved. `ImageData` qualifies. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  /** 1: grey. 2: grey and alpha. 3: RGB. 4: RGBA. Alpha is composited on white. Default: derived from the length of `data`. */
  readonly channels?: number | undefined;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** A path or `file:` URL, the bytes of an image file, or pixels. */
export type ImageInput = string | URL | Uint8Array | ArrayBuffer | Blob | RawImage;

/** Name of an image in messages and figures: its path, or "image". */
export function nameOfInput(input: ImageInput): string {
  if (typeof input === "string") return input;
  return input instanceof URL ? input.href : "image";
}

/**
 * Reads any image input. Files and their bytes are decoded like in `decodeImage`.
 *
 * Throws DataError if the input is of another type or unreadable; the message begins with `nameOfInput`.
 */
export async function readImageInput(input: ImageInput): Promise<Image> {
  if (typeof input === "string") return decodeImage(input);
  if (input instanceof URL) return decodeImage(pathOf(input));
  const bytes = await bytesOf(input);
  if (bytes === undefined) return imageOfPixels(input);
  try {
    return (await decodeBytes(bytes)).image;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new DataError(`image: ${error.message}`, { cause: error });
  }
}

/** Copies bytes and pixels that the caller may change later. Invalid input is returned unchanged, to be refused on reading. */
export function copyOfInput(input: ImageInput): ImageInput {
  if (typeof input !== "object" || input === null || input instanceof URL || input instanceof Blob) return input;
  if (types.isUint8Array(input) || types.isAnyArrayBuffer(input)) return input.slice(0);
  const { data } = input as Partial<RawImage>;
  if (types.isUint8Array(data) || types.isUint8ClampedArray(data))
    return { ...(input as RawImage), data: data.slice() };
  return input;
}

function pathOf(url: URL): string {
  if (url.protocol === "file:") return fileURLToPath(url);
  throw new DataError(`${url.href}: expected a file: URL, got ${url.protocol}; fetch it and pass its bytes`);
}

/** Detects by tag, not instanceof, to accept objects from other realms such as a test runner's. */
async function bytesOf(input: unknown): Promise<Uint8Array | undefined> {
  if (types.isUint8Array(input) || types.isUint8ClampedArray(input) || types.isDataView(input)) {
    return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  }
  if (types.isAnyArrayBuffer(input)) return new Uint8Array(input);
  return input instanceof Blob ? new Uint8Array(await input.arrayBuffer()) : undefined;
}

/** Validates pixels completely, because JavaScript callers have no types. */
async function imageOfPixels(input: unknown): Promise<Image> {
  const isObject = typeof input === "object" && input !== null;
  if (!isObject || !("width" in input && "height" in input && "data" in input)) {
    throw new DataError(
      `image: expected a path, a file: URL, the bytes of an image file, or pixels { width, height, channels, data }, got ${kindOf(input)}`,
    );
  }
  const { width, height, data } = input;
  for (const [name, value] of Object.entries({ width, height })) {
    if (Number.isSafeInteger(value) && (value as number) > 0) continue;
    throw new DataError(`image: ${name}: expected a positive whole number, got ${shown(value)}`);
  }
  if (!types.isUint8Array(data) && !types.isUint8ClampedArray(data)) {
    throw new DataError(
      `image: data: expected a Uint8Array of levels from 0 to 255, got ${kindOf(data)}; of an image file, pass the bytes alone`,
    );
  }
  const size = { width: width as number, height: height as number };
  const pixels = size.width * size.height;
  const channels = channelsOf("channels" in input ? input.channels : undefined, size, data.length);
  const levels = new Uint8Array(data.buffer, data.byteOffset, data.length);
  if (channels === 1 || channels === 3) return { ...size, channels, data: levels.subarray(0, pixels * channels) };
  return onWhite({ ...size, channels, data: levels });
}

function channelsOf(given: unknown, { width, height }: Pick<Image, "width" | "height">, length: number): 1 | 2 | 3 | 4 {
  const actual = length / (width * height);
  const channels = given ?? actual;
  if (given !== undefined && !isChannels(given)) {
    throw new DataError(`image: channels: expected 1, 2, 3 or 4, got ${shown(given)}`);
  }
  if (isChannels(channels) && channels === actual) return channels;
  const expected = isChannels(channels)
    ? `${width}×${height}×${channels} = ${width * height * channels}`
    : `1, 2, 3 or 4 times ${width}×${height} = ${width * height}`;
  const hint = isChannels(actual) ? `, those of ${actual} channels` : "";
  throw new DataError(`image: data: expected ${expected} bytes, got ${length}${hint}`);
}

function isChannels(value: unknown): value is 1 | 2 | 3 | 4 {
  return value === 1 || value === 2 || value === 3 || value === 4;
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : kindOf(value);
}

function kindOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Array.isArray(value) ? "an array" : (value.constructor?.name ?? "an object");
}
