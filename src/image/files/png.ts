/** Structure of a PNG file: size, chunks and their order, checksums, completeness. */

import type { Image } from "../image.ts";
import { crc32 } from "./crc32.ts";
import {
  bigEndian,
  checkSize,
  damaged,
  type Frame,
  type ImageFile,
  type ImageHeader,
  latin1,
  type Palette,
  truncated,
} from "./imageFile.ts";
import { type Metadata, orientationOf, pngTextMetadata } from "./orientation.ts";

/** Bit depths allowed for each colour type. Source: W3C PNG, table 11.1. */
const bitDepths: ReadonlyMap<number, readonly number[]> = new Map([
  [0, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [3, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
]);
const [GREY, RGB, PALETTE, GREY_ALPHA] = [0, 2, 3, 4];

interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
  /** The whole chunk: length, type, data and checksum. */
  readonly whole: Uint8Array;
}
/** Chunks before the current one. */
interface Before {
  readonly types: Set<string>;
  last: string;
}
interface Ihdr {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly colourType: number;
  readonly isInterlaced: boolean;
}

/** Parses a PNG file chunk by chunk up to IEND. Throws DataError if it is damaged, incomplete or too large. */
export function inspectPng(bytes: Uint8Array): ImageFile {
  let header: Ihdr | undefined;
  const exif: Uint8Array[] = [];
  let text: Metadata = {};
  const before: Before = { types: new Set(), last: "" };
  const needed: Chunk[] = [];
  for (const chunk of chunks(bytes)) {
    if (chunk.type === "IHDR" && before.last === "") header = ihdr(chunk.data);
    else if (!header) throw damaged("PNG", `it begins with ${chunk.type}, not with IHDR`);
    else checkChunk(header, chunk, before);
    if (chunk.type === "eXIf") exif.push(chunk.data);
    if (/^(?:tEXt|zTXt|iTXt)$/.test(chunk.type)) text = { ...pngTextMetadata(chunk.type, chunk.data), ...text };
    if (/^(?:IHDR|PLTE|tRNS|IDAT|IEND)$/.test(chunk.type)) needed.push(chunk);
    before.types.add(chunk.type);
    before.last = chunk.type;
  }
  if (!header) throw damaged("PNG", "it has no IHDR");
  if (!before.types.has("IDAT")) throw damaged("PNG", "it has no IDAT (pixels)");
  const { width, height, colourType, isInterlaced } = header;
  const channels = colourType === GREY || colourType === GREY_ALPHA ? 1 : 3;
  const orientation = orientationOf({ ...text, ...(exif[0] && { exif: exif[0] }) });
  return {
    header: { format: "PNG", width, height, channels, isProgressive: isInterlaced, orientation },
    frame: { left: 0, top: 0, width, height, ...(colourType === PALETTE ? numbers(header, needed) : png(needed)) },
  };
}

/** Builds a file of the given chunks, so that other chunks, such as a broken colour profile, cannot affect decoding. */
function png(chunks: readonly { readonly whole: Uint8Array }[]): Pick<Frame, "bytes"> {
  return { bytes: Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...chunks.map(({ whole }) => whole)]) };
}

/** Rewrites a palette image as grey with the same samples, so that indices without a colour can be detected. */
function numbers({ bitDepth }: Ihdr, [first, ...chunks]: readonly Chunk[]): Pick<Frame, "bytes" | "palette"> {
  const ihdr = Buffer.from((first as Chunk).whole);
  ihdr[8 + 9] = GREY as number;
  ihdr.writeUInt32BE(crc32(ihdr.subarray(4, -4)), ihdr.length - 4);
  const dataOf = (name: string) => chunks.find(({ type }) => type === name)?.data ?? new Uint8Array();
  const palette = paletteOnWhite(dataOf("PLTE"), dataOf("tRNS"), bitDepth);
  return { ...png([{ whole: ihdr }, ...chunks.filter(({ type }) => /^I/.test(type))]), palette };
}

/** Source: W3C PNG, 5.3: a chunk has the length of its data, its type, the data, and a checksum of type and data. */
function* chunks(bytes: Uint8Array): Generator<Chunk> {
  for (let at = 8, type = ""; type !== "IEND"; ) {
    if (at + 12 > bytes.length) throw truncated("PNG", bytes);
    type = latin1(bytes, at + 4, 4);
    if (!/^[A-Za-z]{4}$/.test(type)) throw damaged("PNG", `no chunk at byte ${at}`);
    const end = at + 8 + bigEndian(bytes, at, 4);
    if (end + 4 > bytes.length) throw truncated("PNG", bytes);
    if (crc32(bytes.subarray(at + 4, end)) !== bigEndian(bytes, end, 4)) {
      throw damaged("PNG", `the checksum of ${type} at byte ${at} is wrong`);
    }
    yield { type, data: bytes.subarray(at + 8, end), whole: bytes.subarray(at, end + 4) };
    at = end + 4;
  }
}

/** Source: W3C PNG, 11.2.1: width, height, bit depth, colour type, compression, filter, interlace. */
function ihdr(data: Uint8Array): Ihdr {
  if (data.length !== 13) throw damaged("PNG", `an IHDR of ${data.length} bytes, not 13`);
  const [width, height] = [bigEndian(data, 0, 4), bigEndian(data, 4, 4)];
  const [bitDepth = 0, colourType = 0, compression, filter, interlace = 0] = data.subarray(8);
  const depths = bitDepths.get(colourType);
  if (!depths) throw damaged("PNG", `unknown colour type ${colourType}`);
  if (!depths.includes(bitDepth)) {
    throw damaged("PNG", `bit depth ${bitDepth}, but colour type ${colourType} has ${depths.join(", ")}`);
  }
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw damaged(
      "PNG",
      `compression ${compression}, filter ${filter} and interlace ${interlace} are not 0, 0 and 0 or 1`,
    );
  }
  checkSize("PNG", width, height, interlace === 1);
  return { width, height, bitDepth, colourType, isInterlaced: interlace === 1 };
}

/** Source: W3C PNG, 5.6: allowed chunks and their order. Skips ancillary chunks that do not affect pixels. */
function checkChunk({ colourType }: Ihdr, { type, data }: Chunk, before: Before): void {
  if (type === "PLTE") {
    if (data.length === 0 || data.length % 3 !== 0 || data.length > 768) {
      throw damaged("PNG", `a PLTE of ${data.length} bytes, which is not 1 to 256 colours of 3`);
    }
    if (before.types.has("PLTE") || before.types.has("IDAT")) throw damaged("PNG", "PLTE occurs twice or after IDAT");
  } else if (type === "IDAT") {
    if (colourType === PALETTE && !before.types.has("PLTE")) {
      throw damaged("PNG", "it has no PLTE (palette) before IDAT");
    }
    if (before.types.has("IDAT") && before.last !== "IDAT")
      throw damaged("PNG", "other chunks separate its IDAT chunks");
  } else if (type === "tRNS") checkTransparency(colourType, data, before);
  else if (type !== "IEND" && /^[A-Z]/.test(type)) throw damaged("PNG", `an unknown or second critical chunk ${type}`);
}

/** Source: W3C PNG, 11.3.1.1: one transparent grey or RGB sample, or an alpha value for each palette colour. */
function checkTransparency(colourType: number, data: Uint8Array, before: Before): void {
  const isPlaced = !before.types.has("IDAT") && (colourType !== PALETTE || before.types.has("PLTE"));
  if (before.types.has("tRNS") || !isPlaced) throw damaged("PNG", "tRNS occurs twice or in the wrong place");
  const length = new Map([
    [GREY, 2],
    [RGB, 6],
    [PALETTE, Math.min(data.length, 256)],
  ]).get(colourType);
  if (data.length !== length) throw damaged("PNG", `a tRNS of ${data.length} bytes with colour type ${colourType}`);
}

/** Composites palette colours on white: alpha · colour + (1 − alpha) · 255. Colours without an alpha value are opaque. */
function paletteOnWhite(colours: Uint8Array, alphas: Uint8Array, bitDepth: number): Palette {
  const onWhite = colours.map((value, i) => {
    const alpha = (alphas[Math.floor(i / 3)] ?? 255) / 255;
    return Math.round(alpha * value + (1 - alpha) * 255);
  });
  return { colours: onWhite, step: 255 / (2 ** bitDepth - 1) };
}

/** Maps samples to colours. Throws DataError for an index without a colour, which decoders show as black. */
export function coloured({ format }: ImageHeader, { width, height, data: samples }: Image, palette: Palette): Image {
  const { colours, step } = palette;
  const data = new Uint8Array(3 * samples.length);
  for (let i = 0, to = 0; i < samples.length; i++, to += 3) {
    const from = (3 * (samples[i] as number)) / step;
    if (from >= colours.length) throw damaged(format, `a pixel of colour ${from / 3} of ${colours.length / 3}`);
    data[to] = colours[from] as number;
    data[to + 1] = colours[from + 1] as number;
    data[to + 2] = colours[from + 2] as number;
  }
  return { width, height, channels: 3, data };
}
