/** Decoding of image files, and encoding of PNG. */
import sharp, { type Sharp } from "sharp";
import { DataError, messageOf } from "../../errors.ts";
import type { Image } from "../image.ts";
import { type ImageFormat, readFormats, withArticle } from "./format.ts";
import { damaged, type Frame, type ImageHeader, pixelLimit } from "./imageFile.ts";
import { coloured } from "./png.ts";
import { inspectImage, readImageFile } from "./readImageFile.ts";

/**
 * Reads a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF file, detected by content, and HEIC where sharp has a decoder. The image is upright by its EXIF
 * orientation; 16 bits are truncated to 8; palettes and CMYK become RGB; transparent parts are composited on white; of animations and files of
 * several pages, the first image is read. Grey files keep one channel. Colour profiles are not applied: values are used as stored, and CMYK is converted without a profile, as in Pillow and
 * torchvision.
 *
 * Throws DataError if the file is missing, of another format, above 64 megapixels (25 if progressive or interlaced) or 536 MB, incomplete
 * or damaged. A file that its first 64 KB disqualify is not read further.
 */
export async function decodeImage(path: string): Promise<Image> {
  try {
    return (await decodeBytes(await readImageFile(path))).image;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    throw new DataError(`${path}: ${error.message}`, { cause: error.cause ?? error });
  }
}

/** `decodeImage` for a file already in memory, with its format. The message of a DataError lacks the file's name. */
export async function decodeBytes(bytes: Uint8Array): Promise<{ readonly image: Image; readonly format: ImageFormat }> {
  const { header, frame } = inspectImage(bytes);
  const image = await upright(header, onCanvas(header, frame, await decodeFrame(header, frame)));
  return { image, format: header.format };
}

/** For where many images are decoded at once: one thread for each, and nothing kept of them. Holds for the whole process. */
export function decodeOnOneThread(): void {
  sharp.concurrency(1);
  sharp.cache(false);
}

/** True if sharp was built with an HEVC decoder. Its prebuilt libraries were not. */
const readsHevc = sharp.format.heif.input.fileSuffix?.includes(".heic") ?? false;

/** Programs that convert HEIC, on Linux, macOS and anywhere. */
const heicRemedy =
  "convert it to JPEG (heif-convert in.heic out.jpg; sips -s format jpeg in.heic --out out.jpg; magick in.heic out.jpg)";

/** Decodes a frame. The result must have the size that was checked, since a decoder could find another in the same file. */
async function decodeFrame(header: ImageHeader, frame: Frame): Promise<Image> {
  if (frame.decode) return frame.decode();
  const { format, isProgressive } = header;
  if (frame.needsHevc && !readsHevc) {
    throw new DataError(`expected a ${readFormats} image, got ${withArticle(format)} image (HEVC); ${heicRemedy}`);
  }
  const channels = frame.isCmyk ? 4 : frame.palette ? 1 : header.channels;
  const options = { failOn: "warning", ignoreIcc: true, pages: 1, sequentialRead: true } as const;
  const decoder = sharp(frame.bytes, { ...options, limitInputPixels: pixelLimit(isProgressive) });
  if (frame.isOpaque) decoder.removeAlpha();
  else decoder.flatten({ background: "white" });
  decoder.toColourspace("srgb");
  // Keep the CMYK channels: libvips would convert them with a profile of its own.
  if (frame.isCmyk) decoder.pipelineColourspace("cmyk").toColourspace("cmyk");
  // Via sRGB, because the direct conversion to grey rounds 16 bits instead of truncating.
  if (channels === 1) decoder.extractChannel(0);
  const decoded = await decoder
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((error: unknown) => {
      throw damaged(format, reasonOf(error), { cause: error });
    });
  const { width, height } = decoded.info;
  if (width !== frame.width || height !== frame.height || decoded.info.channels !== channels) {
    throw damaged(
      format,
      `its headers say ${frame.width}×${frame.height}×${channels}, its content ${width}×${height}×${decoded.info.channels}`,
    );
  }
  if (channels === 4) return { width, height, channels: 3, data: colourOfInks(decoded.data) };
  const image = { width, height, channels, data: plain(decoded.data) };
  return frame.palette ? coloured(header, image, frame.palette) : image;
}

/** The lines of a decoder's message, each once. libheif also looks for data after the end, which libvips reports for intact files, too. */
function reasonOf(error: unknown): string {
  const lines = messageOf(error).trim().split("\n");
  return [...new Set(lines)].filter((line) => !line.startsWith("source: bad seek")).join("; ");
}

/** Converts CMYK to RGB: (255 − ink) · (255 − black) / 255, in 8-bit arithmetic. Source: Pillow, src/libImaging/Convert.c, cmyk2rgb. */
function colourOfInks(inks: Uint8Array): Uint8Array {
  const data = new Uint8Array((inks.length / 4) * 3);
  for (let from = 0, to = 0; from < inks.length; from += 4, to += 3) {
    const white = 255 - (inks[from + 3] as number);
    for (let c = 0; c < 3; c++) {
      const product = white * (inks[from + c] as number) + 128;
      data[to + c] = white - ((product + (product >> 8)) >> 8);
    }
  }
  return data;
}

function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Places a frame on a white canvas. */
function onCanvas({ width, height }: ImageHeader, { left, top }: Frame, image: Image): Image {
  if (image.width === width && image.height === height) return image;
  const { channels } = image;
  const data = new Uint8Array(width * height * channels).fill(255);
  for (let y = 0; y < image.height; y++) {
    const row = image.data.subarray(y * image.width * channels, (y + 1) * image.width * channels);
    data.set(row, ((top + y) * width + left) * channels);
  }
  return { width, height, channels, data };
}

/** Rotates an image of EXIF orientation 1 to 8 upright: first a horizontal flip, then a clockwise rotation. */
const turns: readonly (readonly [mirrored: boolean, degrees: number])[] = [
  [false, 0],
  [true, 0],
  [false, 180],
  [true, 180],
  [true, 270],
  [false, 90],
  [true, 90],
  [false, 270],
];

async function upright({ orientation }: ImageHeader, image: Image): Promise<Image> {
  const [mirrored, degrees] = turns[orientation - 1] ?? [false, 0];
  if (!mirrored && degrees === 0) return image;
  const { data, info } = await asSharp(image)
    .flop(mirrored)
    .rotate(degrees)
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: image.channels, data: plain(data) };
}

function asSharp({ width, height, channels, data }: Image): Sharp {
  return sharp(data, { raw: { width, height, channels } }).toColourspace(channels === 1 ? "b-w" : "srgb");
}

/** Encodes an image losslessly as PNG, grey if it has one channel. */
export async function encodePng(image: Image): Promise<Uint8Array> {
  return asSharp(image).png().toBuffer();
}
