/** Images as callers of the library give them: a file, its bytes, or pixels. */
import { fileURLToPath } from "node:url";
import { DataError } from "../../errors.ts";
import type { Image } from "../image.ts";
import { imageOfPixels, type RawImage } from "../rawImage.ts";
import { isBuffer, isByteArray } from "../typedArray.ts";
import { decodeBytes, decodeImage } from "./decode.ts";

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
 * The image of any input. Files and their bytes as `decodeImage` reads them.
 *
 * Throws DataError if it is none of these, or cannot be read; the message begins with `nameOfInput`.
 */
export async function readImageInput(input: ImageInput): Promise<Image> {
  if (typeof input === "string") return decodeImage(input);
  if (input instanceof URL) return decodeImage(pathOf(input));
  const bytes = await bytesOf(input);
  if (bytes === undefined) return imageOfPixels(input, anyInput);
  try {
    return (await decodeBytes(bytes)).image;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new DataError(`image: ${error.message}`, { cause: error });
  }
}

/** A copy of what the caller may change later: bytes and pixels. What is no image stays as it is, to be refused when it is read. */
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

/** Not by instanceof: what comes from another realm, such as a test runner's, counts too. */
async function bytesOf(input: unknown): Promise<Uint8Array | undefined> {
  if (isByteArray(input) || Object.prototype.toString.call(input) === "[object DataView]") {
    const { buffer, byteOffset, byteLength } = input as DataView;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  if (isBuffer(input)) return new Uint8Array(input);
  return input instanceof Blob ? new Uint8Array(await input.arrayBuffer()) : undefined;
}
