/** Structure of an image file, read without decoding, and its errors. */
import { DataError, TruncatedImageError } from "../../errors.ts";
import type { Image } from "../image.ts";
import { type ImageFormat, withArticle } from "./format.ts";

/** Header fields of an image file. Sizes are as stored, before `orientation` is applied. */
export interface ImageHeader {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  /** 1: grey. 3: colour (RGB, CMYK or palette; a palette of greys counts as grey in BMP, which has no other). */
  readonly channels: 1 | 3;
  /** Progressive JPEG, interlaced PNG or GIF, any AVIF: the decoder holds the whole image, and may make many passes over it. */
  readonly isProgressive: boolean;
  /** EXIF orientation, 1 to 8. 1: upright. */
  readonly orientation: number;
}

/** Maps decoded samples to colours, for decoders that return palette indices as grey. */
export interface Palette {
  /** 3 bytes per colour, with transparency composited on white. */
  readonly colours: Uint8Array;
  /** A sample is the index times this, because decoders stretch samples of few bits to 0 … 255. */
  readonly step: number;
}

/** Image to decode: a complete file in one of the formats, and the position of its pixels on the header's canvas. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Palette, if the file's grey samples are indices. */
  readonly palette?: Palette;
  /** Four ink channels per pixel. */
  readonly isCmyk?: boolean;
  /** True if the samples after those of the colours are no alpha, and ignored. */
  readonly isOpaque?: boolean;
  /** True if only an HEVC decoder reads it. */
  readonly needsHevc?: boolean;
  /** Decodes `bytes`, for formats and codings that sharp does not read. */
  readonly decode?: () => Image;
}

/** An image file whose structure is complete. */
export interface ImageFile {
  readonly header: ImageHeader;
  /** For JPEG, the file up to its end marker; for PNG, the chunks that determine pixels; for GIF, TIFF and WebP, only the first frame. */
  readonly frame: Frame;
}

/** Maximum number of pixels: 192 MB as RGB for each image that is decoded at a time, above the 8192×6144 of phones. */
const MAX_PIXELS = 64e6;
/** Fewer if the decoder also holds coefficients (2 bytes each) or needs all data before the first row. */
const MAX_PROGRESSIVE_PIXELS = 25e6;

/** Maximum number of pixels of an image. */
export function pixelLimit(isProgressive: boolean): number {
  return isProgressive ? MAX_PROGRESSIVE_PIXELS : MAX_PIXELS;
}

/** Formats whose decoders always hold the whole image. */
const wholeFormats: readonly ImageFormat[] = ["AVIF", "HEIC"];

/** Throws for an image without pixels, or with too many. Call it right after reading a header. */
export function checkSize(format: ImageFormat, width: number, height: number, isProgressive: boolean): void {
  if (width === 0 || height === 0) {
    throw new DataError(
      `expected a width and a height of at least 1, got ${width}×${height} in the header of the ${format} image; get the file again`,
    );
  }
  const limit = pixelLimit(isProgressive);
  if (width * height <= limit) return;
  const isOneOfTwo = isProgressive && !wholeFormats.includes(format);
  const kind = isOneOfTwo ? `a progressive or interlaced ${format}` : withArticle(format);
  const megapixels = Math.ceil((width * height) / 1e5) / 10;
  throw new DataError(
    `expected ${kind} image of at most ${limit / 1e6} megapixels, got ${width}×${height} (${megapixels} megapixels); make the image smaller first`,
  );
}

/** Error for a truncated file. The file's name is prepended by the caller, as in all of these messages. */
export function truncated(format: ImageFormat, bytes: Uint8Array): TruncatedImageError {
  return new TruncatedImageError(
    `expected a complete ${format} image, got a truncated one (${bytes.length} bytes without its end); get the file again`,
  );
}

/** Error for a file that violates its format. */
export function damaged(format: ImageFormat, problem: string, options?: ErrorOptions): DataError {
  return new DataError(
    `expected an intact ${format} image, got a damaged one (${problem}); get the file again`,
    options,
  );
}

/** Error for an unsupported kind of a format. */
export function unread(format: ImageFormat, kind: string): DataError {
  return new DataError(`expected a common kind of ${format} image, got ${kind}; save it again as JPEG or PNG`);
}

/** Reads an unsigned big-endian number of `size` bytes. Bytes past the end count as 0; callers check the length. */
export function bigEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 0x100 + (bytes[at + i] ?? 0);
  return value;
}

/** Reads an unsigned little-endian number of `size` bytes. */
export function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 0x100 + (bytes[at + i] ?? 0);
  return value;
}

/** Converts bytes to text, one character each. */
export function latin1(bytes: Uint8Array, at: number, size: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + size));
}
