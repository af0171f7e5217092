/** Reading, decoding and fitting of one image file on its way into a pack. */
import { createHash } from "node:crypto";
import { DataError, messageOf } from "../../errors.ts";
import { decodeBytes } from "../../image/files/decode.ts";
import type { ImageFormat } from "../../image/files/format.ts";
import { readImageFile } from "../../image/files/readImageFile.ts";
import type { Image, PixelSize } from "../../image/image.ts";
import { createFitter, type Fitting } from "../../image/prepare/fitter.ts";
import { type ColourMoments, momentsOf } from "../../image/prepare/moments.ts";
import { checksumOf } from "./checksum.ts";

/** A file to be read. */
export interface ImageJob {
  readonly path: string;
  /** The file's size, if it is known: by it, work is shared out. */
  readonly bytes?: number | undefined;
  /** SHA-256 of contents that need not be decoded. */
  readonly known?: readonly string[] | undefined;
}

/** A decoded file. */
export interface WorkedImage {
  /** The image to keep, if a fitting is given. */
  readonly kept?: KeptImage;
  /** Size, format and channels of the file: upright, before any fitting. */
  readonly source: PixelSize & { readonly format: ImageFormat; readonly channels: 1 | 3 };
  /** SHA-256 of size and pixels in hexadecimal, if no fitting is given. */
  readonly pixels?: string;
}

/** The smaller of an image and the fitted image, in memory of its own, with the checksum of its bytes and its moments. */
export interface KeptImage {
  readonly image: Image;
  readonly checksum: number;
  readonly moments: ColourMoments;
}

/** Neither `decoded` nor `error` means that the content is one of those known. */
export interface ImageOutcome {
  /** SHA-256 of the file's bytes in hexadecimal; absent if they could not be read. */
  readonly sha256?: string;
  readonly decoded?: WorkedImage;
  /** The error, without the file's name. */
  readonly error?: string;
  /** True if the error is in the file's content, and so will occur again. */
  readonly isLasting?: boolean;
}

/** Chunks of jobs as a worker is sent them, and the outcomes as they come back. */
export interface JobChunk {
  readonly id: number;
  readonly jobs: readonly ImageJob[];
}
/** Outcomes in the order of the jobs. */
export interface OutcomeChunk {
  readonly id: number;
  readonly outcomes: readonly ImageOutcome[];
}

/** Makes the function that does such jobs; it never throws for what a file holds. Without a fitting no pixels are kept. */
export function createImageJobs(fitting?: Fitting): (job: ImageJob) => Promise<ImageOutcome> {
  const smaller = fitting && createSmaller(fitting);
  return async ({ path, known }) => {
    let sha256: string | undefined;
    try {
      const bytes = await readImageFile(path);
      sha256 = createHash("sha256").update(bytes).digest("hex");
      if (known?.includes(sha256)) return { sha256 };
      const { image: decoded, format } = await decodeBytes(bytes);
      const { width, height, channels } = decoded;
      const source = { format, width, height, channels };
      if (!smaller) return { sha256, decoded: { source, pixels: pixelHash(decoded) } };
      const fitted = smaller(decoded);
      const image = { ...fitted, data: fitted.data.slice() };
      const kept = { image, checksum: checksumOf(image.data), moments: momentsOf(image) };
      return { sha256, decoded: { source, kept } };
    } catch (error) {
      const outcome = { error: messageOf(error), isLasting: sha256 !== undefined && error instanceof DataError };
      return sha256 === undefined ? outcome : { sha256, ...outcome };
    }
  };
}

/** The same for grey images with one channel and with three equal ones. */
function pixelHash({ width, height, channels, data }: Image): string {
  const length = width * height * channels;
  const pixels = data.subarray(0, length);
  const grey = channels === 3 && isGrey(pixels) ? pixels.filter((_, i) => i % 3 === 0) : pixels;
  return createHash("sha256").update(`${width} ${height} ${grey.length}\n`).update(grey).digest("hex");
}

function isGrey(pixels: Uint8Array): boolean {
  for (let i = 0; i < pixels.length; i += 3) {
    if (pixels[i] !== pixels[i + 1] || pixels[i] !== pixels[i + 2]) return false;
  }
  return true;
}

/** The fitter does nothing to what has been through it: the image, once its colours are right, and the fitted one become the same input. */
function createSmaller(fitting: Fitting): (image: Image) => Image {
  const toColours = createFitter({ ...fitting, fit: { kind: "native" } });
  const toSize = createFitter(fitting);
  return (image) => {
    const coloured = toColours(image);
    const fitted = toSize(coloured);
    return fitted.data.length < coloured.data.length ? fitted : coloured;
  };
}
