/** Structure of a GIF file: size, first frame, completeness. */
import { checkSize, damaged, type ImageFile, littleEndian, truncated } from "./imageFile.ts";

/** First byte of each kind of block. Source: GIF89a specification, appendix A. */
const [EXTENSION, IMAGE, TRAILER] = [0x21, 0x2c, 0x3b];
const GRAPHIC_CONTROL = 0xf9;
const HEADER_BYTES = 13;

/** Blocks of the first image. */
interface FirstImage {
  readonly control: Uint8Array;
  readonly descriptor: Uint8Array;
  /** Local colour table, code size, and sub-blocks. */
  readonly content: Uint8Array;
}

/**
 * Parses a GIF file block by block up to its trailer. Throws DataError if it is damaged, incomplete or too large. Like in viewers, the
 * canvas is the logical screen, enlarged if the first image extends beyond it.
 */
export function inspectGif(bytes: Uint8Array): ImageFile {
  if (bytes.length < HEADER_BYTES) throw truncated("GIF", bytes);
  const screen = { width: littleEndian(bytes, 6, 2), height: littleEndian(bytes, 8, 2) };
  checkSize("GIF", screen.width, screen.height, false);
  const start = HEADER_BYTES + colourTableBytes(bytes[10] as number);
  const image = firstImage(bytes, start);
  const [left, top, width, height] = [0, 2, 4, 6].map((at) => littleEndian(image.descriptor, at, 2)) as Four;
  const isProgressive = isInterlaced(image.descriptor);
  const [canvasWidth, canvasHeight] = [Math.max(screen.width, left + width), Math.max(screen.height, top + height)];
  checkSize("GIF", canvasWidth, canvasHeight, isProgressive);
  checkPixels(image, (start - HEADER_BYTES) / 3, width * height);
  return {
    header: { format: "GIF", width: canvasWidth, height: canvasHeight, channels: 3, isProgressive, orientation: 1 },
    frame: { bytes: alone(bytes.subarray(0, start), image), left, top, width, height },
  };
}

const isInterlaced = (descriptor: Uint8Array) => ((descriptor[8] as number) & 0x40) !== 0;

type Four = [number, number, number, number];

/** Size of a colour table: a flag marks its presence, and three bits give log₂ of the number of colours, minus 1. */
function colourTableBytes(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/** Source: GIF89a, 20, 22 and 23: extensions and images up to the trailer; a control block belongs to the image after it. */
function firstImage(bytes: Uint8Array, start: number): FirstImage {
  let first: FirstImage | undefined;
  let control: Uint8Array = new Uint8Array();
  for (let at = start; bytes[at] !== TRAILER; ) {
    const kind = bytes[at];
    if (kind === undefined || (kind === IMAGE && at + 10 > bytes.length)) throw truncated("GIF", bytes);
    if (kind !== EXTENSION && kind !== IMAGE) throw damaged("GIF", `no block at byte ${at}`);
    const isImage = kind === IMAGE;
    const content = at + 10;
    const descriptor = bytes.subarray(at + 1, content);
    if (isImage && !first) {
      checkSize("GIF", littleEndian(descriptor, 4, 2), littleEndian(descriptor, 6, 2), isInterlaced(descriptor));
    }
    const blocks = isImage ? content + colourTableBytes(bytes[at + 9] as number) + 1 : at + 2;
    const end = afterSubBlocks(bytes, blocks);
    if (bytes[at + 1] === GRAPHIC_CONTROL && !isImage) control = bytes.subarray(at, end);
    if (isImage) first ??= { control, descriptor, content: bytes.subarray(content, end) };
    at = end;
  }
  if (!first) throw damaged("GIF", "it has no image");
  return first;
}

/** Skips sub-blocks. Each begins with its length in one byte; a length of 0 ends the sequence. */
function afterSubBlocks(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== 0) at += 1 + (bytes[at] as number);
  if (at >= bytes.length) throw truncated("GIF", bytes);
  return at + 1;
}

/** Throws unless the compressed data contain all pixels, with valid colours. */
function checkPixels({ descriptor, content }: FirstImage, globalColours: number, expected: number): void {
  const table = colourTableBytes(descriptor[8] as number);
  const colours = table > 0 ? table / 3 : globalColours;
  if (colours === 0) throw damaged("GIF", "its first image has no colour table");
  const { pixels, highest } = lzwPixels(content[table] as number, joined(content.subarray(table + 1)), expected);
  if (pixels < expected) throw damaged("GIF", `its first image has ${pixels} of ${expected} pixels`);
  if (highest >= colours) throw damaged("GIF", `colour ${highest} of ${colours} in its first image`);
}

/** Concatenates sub-blocks without their lengths. */
function joined(blocks: Uint8Array): Uint8Array {
  const data = new Uint8Array(blocks.length);
  let length = 0;
  for (let at = 0; blocks[at] !== 0; at += 1 + (blocks[at] as number)) {
    data.set(blocks.subarray(at + 1, at + 1 + (blocks[at] as number)), length);
    length += blocks[at] as number;
  }
  return data.subarray(0, length);
}

/**
 * Rewrites the first image as a GIF file with a matching screen. Decoders treat images smaller than the screen differently, and need not
 * read the other images.
 */
function alone(start: Uint8Array, { control, descriptor, content }: FirstImage): Uint8Array {
  const header = Uint8Array.from(start);
  header.set(descriptor.subarray(4, 8), 6);
  const placed = Uint8Array.from(descriptor);
  placed.fill(0, 0, 4);
  return Buffer.concat([header, control, Uint8Array.of(IMAGE), placed, content, Uint8Array.of(TRAILER)]);
}

/** Maximum number of LZW codes: 12 bits. */
const MAX_CODES = 4096;

/**
 * Counts the pixels in LZW data, at most `limit`, and finds the highest colour, without decoding. Decoders that run out of data silently
 * leave the rest black. Counting stops at the end code, at an undefined code, at the end of the data, or at `limit`.
 *
 * Source: GIF89a specification, appendix F. A code below the clear code is a colour; a later code stands for the pixels of the code before
 * it plus one.
 */
export function lzwPixels(
  colourBits: number,
  data: Uint8Array,
  limit: number,
): { readonly pixels: number; readonly highest: number } {
  if (colourBits < 1 || colourBits > 8) return { pixels: 0, highest: 0 };
  const clear = 2 ** colourBits;
  const lengths = new Uint32Array(MAX_CODES).fill(1, 0, clear);
  let [pixels, highest, known, previous, width] = [0, 0, clear + 2, 0, colourBits + 1];
  for (let bit = 0; bit + width <= 8 * data.length && pixels < limit; ) {
    const at = bit >> 3;
    const three = (data[at] as number) | ((data[at + 1] ?? 0) << 8) | ((data[at + 2] ?? 0) << 16);
    const code = (three >> (bit & 7)) & (2 ** width - 1);
    bit += width;
    if (code === clear) {
      [known, previous, width] = [clear + 2, 0, colourBits + 1];
      continue;
    }
    // The code being defined may be used at once, except right after a clear code.
    if (code === clear + 1 || code > known || (code === known && (previous === 0 || known === MAX_CODES))) break;
    if (previous > 0 && known < MAX_CODES) {
      lengths[known++] = previous + 1;
      if (known === 2 ** width && width < 12) width++;
    }
    previous = lengths[code] as number;
    pixels += previous;
    if (code < clear) highest = Math.max(highest, code);
  }
  return { pixels: Math.min(pixels, limit), highest };
}
