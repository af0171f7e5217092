/** Images passed to the library: a file, its bytes, or pixels. */
import { fileURLToPath } from "node:url";
import { DataError } from "../../errors.ts";
import type { Image } from "../image.ts";
import { imageOfPixels, type RawImage } from "../rawImage.ts";
import { isBuffer, isByteArray } from "../typedArray.ts";

/** Loads the decoder, which takes a tenth of a second of a short program, when it is needed or before. */
export const loadDecoder = () => import("./decode.ts");

/** A path or `file:` URL, the bytes of an image file, or pixels. */
export type ImageInput = string | URL | Uint8Array | ArrayBuffer | Blob | RawImage;

/** The kinds of input, for the message about anything else. */
const anyInput = "a path, a file: URL, the bytes of an image file, or pixels { width, height, channels, data }";

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
  if (typeof input === "string" || input instanceof URL) {
    const path = typeof input === "string" ? input : pathOf(input);
    return (await loadDecoder()).decodeImage(path);
  }
  const bytes = await bytesOf(input);
  if (bytes === undefined) return imageOfPixels(input, anyInput);
  const { decodeBytes } = await loadDecoder();
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
  if (isByteArray(input) || isBuffer(input)) return input.slice(0);
  const { data } = input as Partial<RawImage>;
  return isByteArray(data) ? { ...(input as RawImage), data: data.slice() } : input;
}

function pathOf(url: URL): string {
  if (url.protocol === "file:") return fileURLToPath(url);
  throw new DataError(`${url.href}: expected a file: URL, got ${url.protocol}; fetch it and pass its bytes`);
}

/** Detects by tag, not instanceof, to accept objects from other realms such as a test runner's. */
async function bytesOf(input: unknown): Promise<Uint8Array | undefined> {
  if (isByteArray(input) || Object.prototype.toString.call(input) === "[object DataView]") {
    const { buffer, byteOffset, byteLength } = input as DataView;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  if (isBuffer(input)) return new Uint8Array(input);
  return input instanceof Blob ? new Uint8Array(await input.arrayBuffer()) : undefined;
}
