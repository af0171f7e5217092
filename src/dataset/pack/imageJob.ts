/** Reads, decodes and fits one image file for a pack. */
import { createHash } from "node:crypto";
import { DataError, messageOf } from "../../errors.ts";
import { decodeBytes } from "../../image/files/decode.ts";
import type { ImageFormat } from "../../image/files/format.ts";
import { readImageFile } from "../../image/files/readImageFile.ts";
import type { Image, PixelSize } from "../../image/image.ts";
import { createFitter, type Fitting } from "../../image/prepare/fitter.ts";
import { type ColourMoments, momentsOf } from "../../image/prepare/moments.ts";
import { checksumOf } from "./checksum.ts";

/** A file to decode. */
export interface ImageJob {
  readonly path: string;
  /** Size of the file in bytes, if known; used to balance work. */
  readonly bytes?: number | undefined;
  /** SHA-256 of contents that need not be decoded. */
  readonly known?: readonly string[] | undefined;
}

/** A decoded file. */
export interface WorkedImage {
  /** Image to store, if there is a fitting. */
  readonly kept?: KeptImage;
  /** Size, format and channels of the file, upright and before fitting. */
  readonly source: PixelSize & { readonly format: ImageFormat; readonly channels: 1 | 3 };
  /** SHA-256 of size and pixels in hexadecimal, if there is no fitting. */
  readonly pixels?: string;
}

/** The smaller of an image and its fitted form, in memory of its own, with checksum and moments. */
export interface KeptImage {
  readonly image: Image;
  readonly checksum: number;
  readonly moments: ColourMoments;
}

/** Without `decoded` and `error`, the content is one of the known ones. */
export interface ImageOutcome {
  /** SHA-256 of the file's bytes in hexadecimal; absent if they could not be read. */
  readonly sha256?: string;
  readonly decoded?: WorkedImage;
  /** Error, without the file's name. */
  readonly error?: string;
  /** True if the error is in the file's content, so that it will occur again. */
  readonly isLasting?: boolean;
}

/** A batch of jobs, as sent to a worker. */
export interface JobChunk {
  readonly id: number;
  readonly jobs: readonly ImageJob[];
}
/** Outcomes in the order of the jobs. */
export interface OutcomeChunk {
  readonly id: number;
  readonly outcomes: readonly ImageOutcome[];
}

/** Creates the function that runs such jobs; it never throws because of a file's content. Without a fitting no pixels are kept. */
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

/** Hash of an image's pixels; equal for a grey image with one channel and with three equal ones. */
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

/** Fitting is idempotent: the image, after colour conversion, and the fitted image give the same input. */
function createSmaller(fitting: Fitting): (image: Image) => Image {
  const toColours = createFitter({ ...fitting, fit: { kind: "native" } });
  const toSize = createFitter(fitting);
  return (image) => {
    const coloured = toColours(image);
    const fitted = toSize(coloured);
    return fitted.data.length < coloured.data.length ? fitted : coloured;
  };
}
