/** Header and structure of an image file of any format. */
import { DataError } from "../../errors.ts";
import { type ImageFormat, readFormats, recogniseFormat } from "./format.ts";
import { inspectGif } from "./gif.ts";
import type { ImageFile } from "./imageFile.ts";
import { inspectJpeg } from "./jpeg.ts";
import { inspectPng } from "./png.ts";
import { inspectWebp } from "./webp.ts";

const inspectors: Readonly<Record<ImageFormat, (bytes: Uint8Array) => ImageFile>> = {
  JPEG: inspectJpeg,
  PNG: inspectPng,
  WebP: inspectWebp,
  GIF: inspectGif,
};

/**
 * What an image file is, by its content: its header, and what of it is to be decoded. Nothing is decoded, and memory is that
 * of the file. Bytes behind the end of the picture are allowed, as cameras write them.
 *
 * Throws DataError if the format is not one that is read, if the picture has no pixels or too many, or if the file is damaged
 * or not whole, which decoders do not notice: they invent what is missing, or do not read that far. The message lacks the
 * file's name, which the caller puts in front.
 */
export function inspectImage(bytes: Uint8Array): ImageFile {
  const format = recogniseFormat(bytes);
  if (typeof format === "object") {
    throw new DataError(`expected a ${readFormats} image, got ${format.other}; give a picture in one of these formats`);
  }
  return inspectors[format](bytes);
}
