/** Structure of a WebP file: size, first frame, completeness. */
import {
  bigEndian,
  checkSize,
  damaged,
  type Frame,
  type ImageFile,
  latin1,
  littleEndian,
  truncated,
} from "./imageFile.ts";
import { type Metadata, orientationOf } from "./orientation.ts";

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}
interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Parses a WebP file through the chunks of its RIFF container. Throws DataError if it is damaged, incomplete or too large. Source: RFC
 * 9649, section 2.
 */
export function inspectWebp(bytes: Uint8Array): ImageFile {
  const end = 8 + littleEndian(bytes, 4, 4);
  const first = latin1(bytes, 12, 4);
  // Check the header's image size first, so that a file that is both too large and incomplete is reported as too large.
  const sizeOf = { VP8X: canvasSize, "VP8 ": lossySize, VP8L: losslessSize }[first];
  if (sizeOf && littleEndian(bytes, 16, 4) >= 10 && bytes.length >= 30) {
    const { width, height } = sizeOf(bytes.subarray(20));
    checkSize("WebP", width, height, false);
  }
  if (end > bytes.length) throw truncated("WebP", bytes);
  const all = chunks(bytes.subarray(12, end));
  const canvas = first === "VP8X" ? canvasOf(all) : undefined;
  const frame = firstFrame(all);
  const { width, height } = canvas ?? frame;
  if (canvas && !moving(all)) checkSame(canvas, frame);
  if (frame.left + frame.width > width || frame.top + frame.height > height) {
    throw damaged("WebP", `its first frame reaches out of the canvas of ${width}×${height}`);
  }
  const orientation = orientationOf(canvas ? metadataOf(all) : {});
  return { header: { format: "WebP", width, height, channels: 3, isProgressive: false, orientation }, frame };
}

/** Iterates over chunks: type, length of the data, data, and a padding byte after an odd length. */
function chunks(bytes: Uint8Array): readonly Chunk[] {
  const found: Chunk[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [type, length] = [latin1(bytes, at, 4), littleEndian(bytes, at + 4, 4)];
    const end = at + 8 + length;
    if (end > bytes.length) throw damaged("WebP", `the chunk ${JSON.stringify(type)} exceeds its container`);
    found.push({ type, data: bytes.subarray(at + 8, end) });
    at = end + (length % 2);
  }
  return found;
}

/** Flags, then width and height minus one, 3 bytes each. */
function canvasSize(data: Uint8Array): Size {
  return { width: 1 + littleEndian(data, 4, 3), height: 1 + littleEndian(data, 7, 3) };
}

function canvasOf([vp8x]: readonly Chunk[]): Size {
  if (!vp8x || vp8x.data.length < 10) throw damaged("WebP", "its VP8X chunk is too short");
  return canvasSize(vp8x.data);
}

/** Flag bits of VP8X. Source: RFC 9649, 2.7.1. */
const [XMP_FLAG, EXIF_FLAG] = [0x04, 0x08];

/** EXIF and XMP announced by the flags; libwebp ignores others. */
function metadataOf(all: readonly Chunk[]): Metadata {
  const flags = all[0]?.data[0] ?? 0;
  const find = (flag: number, wanted: string) =>
    (flags & flag) === 0 ? undefined : all.find(({ type }) => type === wanted)?.data;
  return { exif: find(EXIF_FLAG, "EXIF"), xmp: find(XMP_FLAG, "XMP ") };
}

function moving(all: readonly Chunk[]): Uint8Array | undefined {
  return all.find(({ type }) => type === "ANMF")?.data;
}

/** The image, or an animation's first frame (ANMF: left and top in units of 2 pixels, size minus one, duration, flags). */
function firstFrame(all: readonly Chunk[]): Frame {
  const anmf = moving(all);
  if (!anmf) return { ...alone(all), left: 0, top: 0 };
  if (anmf.length < 16) throw damaged("WebP", "its first frame is too short");
  const frame = alone(chunks(anmf.subarray(16)));
  const size = { width: 1 + littleEndian(anmf, 6, 3), height: 1 + littleEndian(anmf, 9, 3) };
  checkSame(size, frame);
  return { ...frame, left: 2 * littleEndian(anmf, 0, 3), top: 2 * littleEndian(anmf, 3, 3) };
}

function checkSame(announced: Size, { width, height }: Size): void {
  if (announced.width === width && announced.height === height) return;
  throw damaged("WebP", `${width}×${height} pixels where its header says ${announced.width}×${announced.height}`);
}

/** Extracts the image chunk, with its alpha, as a WebP file. Decoders differ in the other chunks they read. */
function alone(all: readonly Chunk[]): Size & { readonly bytes: Uint8Array } {
  const image = all.find(({ type }) => type === "VP8 " || type === "VP8L");
  if (!image) throw damaged("WebP", "it has no image");
  const size = image.type === "VP8 " ? lossySize(image.data) : losslessSize(image.data);
  checkSize("WebP", size.width, size.height, false);
  const alpha = image.type === "VP8 " ? all.find(({ type }) => type === "ALPH") : undefined;
  const parts = alpha ? [vp8x(size), chunkBytes(alpha), chunkBytes(image)] : [chunkBytes(image)];
  const bytes = chunkBytes({ type: "RIFF", data: Buffer.concat([Buffer.from("WEBP"), ...parts]) });
  return { ...size, bytes };
}

/** Source: RFC 6386, 9.1: 3 bytes with the key frame bit, a start code, 14 bits each of width and height. */
function lossySize(data: Uint8Array): Size {
  if (data.length < 10 || ((data[0] as number) & 1) === 1 || bigEndian(data, 3, 3) !== 0x9d012a) {
    throw damaged("WebP", "its VP8 chunk has no key frame");
  }
  return { width: littleEndian(data, 6, 2) & 0x3fff, height: littleEndian(data, 8, 2) & 0x3fff };
}

/** Source: RFC 9649, 3.4: a signature, then 14 bits each of width and height minus one. */
function losslessSize(data: Uint8Array): Size {
  if (data.length < 5 || data[0] !== 0x2f) throw damaged("WebP", "its VP8L chunk has no signature");
  const bits = littleEndian(data, 1, 4);
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
}

/** VP8X chunk with the alpha flag and the canvas size. */
function vp8x({ width, height }: Size): Uint8Array {
  const data = Buffer.alloc(10);
  data[0] = 0x10;
  data.writeUIntLE(width - 1, 4, 3);
  data.writeUIntLE(height - 1, 7, 3);
  return chunkBytes({ type: "VP8X", data });
}

function chunkBytes({ type, data }: Chunk): Uint8Array {
  const start = Buffer.alloc(8);
  start.write(type, "latin1");
  start.writeUInt32LE(data.length, 4);
  return Buffer.concat([start, data, Buffer.alloc(data.length % 2)]);
}
