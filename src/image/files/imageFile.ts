/** Structure of an image file, read without decoding, and the errors it can have. */
import { DataError, TruncatedImageError } from "../../errors.ts";
import type { ImageFormat } from "./format.ts";

/** The contents of an image file's headers. Sizes are those stored, before `orientation` is applied. */
export interface ImageHeader {
  readonly format: ImageFormat;
  readonly width: number;
  readonly height: number;
  /** 1: grey. 3: colour, be it RGB, CMYK or a palette. */
  readonly channels: 1 | 3;
  /** Progressive JPEG, interlaced PNG or GIF: a decoder must hold the whole image, and passes over it many times. */
  readonly isProgressive: boolean;
  /** EXIF's orientation, 1 to 8. 1: upright. */
  readonly orientation: number;
}

/** Turns decoded samples into colours, if the decoder takes colour numbers for grey. */
export interface Palette {
  /** 3 bytes a colour, transparent ones on white. */
  readonly colours: Uint8Array;
  /** A sample is a number times this: decoders stretch samples of few bits to 0 … 255. */
  readonly step: number;
}

/** The image to decode: a whole file of one of the formats, and where its pixels lie on the canvas of the header's size. */
export interface Frame {
  readonly bytes: Uint8Array;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** The colours, if the file says grey and means their numbers. */
  readonly palette?: Palette;
  /** Four inks a pixel. */
  readonly isCmyk?: boolean;
}

/** An image file that is whole as far as its structure tells. */
export interface ImageFile {
  readonly header: ImageHeader;
  /** For JPEG, the file up to its end; for PNG, the chunks its pixels depend on; for GIF and WebP, the first frame alone. */
  readonly frame: Frame;
}

/** The most pixels that are decoded: 150 MB as RGB; more than common cameras make, and far from what harms a machine. */
const MAX_PIXELS = 50e6;
/** Half of it where the decoder holds the coefficients too (2 bytes each), or must see all before the first row is done. */
const MAX_PROGRESSIVE_PIXELS = 25e6;

/** The most pixels that are decoded of such an image. */
export function pixelLimit(isProgressive: boolean): number {
  return isProgressive ? MAX_PROGRESSIVE_PIXELS : MAX_PIXELS;
}

/** Throws if an image has no pixels or too many: to be called as soon as a header is read. */
export function checkSize(format: ImageFormat, width: number, height: number, isProgressive: boolean): void {
  if (width === 0 || height === 0) {
    throw new DataError(
      `expected a width and a height of at least 1, got ${width}×${height} in the header of the ${format} image; get the file again`,
    );
  }
  const limit = pixelLimit(isProgressive);
  if (width * height <= limit) return;
  const kind = isProgressive ? `progressive or interlaced ${format}` : format;
  const megapixels = Math.ceil((width * height) / 1e5) / 10;
  throw new DataError(
    `expected a ${kind} image of at most ${limit / 1e6} megapixels, got ${width}×${height} (${megapixels} megapixels); make the image smaller first`,
  );
}

/** The error for a file that ends too early. All of these messages lack the file's name, which stands in front. */
export function truncated(format: ImageFormat, bytes: Uint8Array): TruncatedImageError {
  return new TruncatedImageError(
    `expected a complete ${format} image, got a truncated one (${bytes.length} bytes without its end); get the file again`,
  );
}

/** The error for a file that contradicts its format. */
export function damaged(format: ImageFormat, problem: string, options?: ErrorOptions): DataError {
  return new DataError(
    `expected an intact ${format} image, got a damaged one (${problem}); get the file again`,
    options,
  );
}

/** The error for a file of a rare kind that is not read. */
export function unread(format: ImageFormat, kind: string): DataError {
  return new DataError(`expected a common kind of ${format} image, got ${kind}; save it again as JPEG or PNG`);
}

/** The unsigned number of `size` bytes, highest byte first. Bytes behind the end count as 0: whoever reads checks first. */
export function bigEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 0x100 + (bytes[at + i] ?? 0);
  return value;
}

/** The unsigned number of `size` bytes, lowest byte first. */
export function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 0x100 + (bytes[at + i] ?? 0);
  return value;
}

/** Bytes as text, one character each. */
export function latin1(bytes: Uint8Array, at: number, size: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + size));
}
