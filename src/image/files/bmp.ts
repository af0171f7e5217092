/** Structure of a BMP file: header, colours, place of the pixels. */
import { type BmpForm, decodeBmp, type Fields } from "./bmpPixels.ts";
import { checkSize, damaged, type ImageFile, littleEndian, truncated, unread } from "./imageFile.ts";

const FILE_HEADER_BYTES = 14;
/** Length of the first header of OS/2, which has 16 bits for each number and 3 bytes for each colour. */
const CORE_HEADER = 12;
/** Lengths of the headers of Windows. Others from 16 to 64 bytes are those of OS/2 2.0, cut anywhere. */
const windowsHeaders: readonly number[] = [40, 52, 56, 108, 124];

/** Compression of Windows' headers. */
const [RGB, RLE8, RLE4, FIELDS, ALPHA_FIELDS] = [0, 1, 2, 3, 6];
/** Compressions that are read, with the bits per pixel that they apply to. */
const readForms: ReadonlyMap<number, readonly number[]> = new Map([
  [RGB, [1, 2, 4, 8, 16, 24, 32]],
  [RLE8, [8]],
  [RLE4, [4]],
  [FIELDS, [16, 24, 32]],
  [ALPHA_FIELDS, [16, 24, 32]],
]);

interface Header {
  /** Length of the second header, from its first field. */
  readonly length: number;
  readonly width: number;
  readonly height: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Number of colours of the palette; 0: as many as the bits can number. */
  readonly colours: number;
}

/**
 * Parses a BMP file of Windows or OS/2. Throws DataError if it is damaged, incomplete, too large or of a kind that is not read.
 *
 * Source: Microsoft, “Bitmap Storage”; IBM, OS/2 2.0 Presentation Manager reference, “Bitmap File Format”.
 */
export function inspectBmp(bytes: Uint8Array): ImageFile {
  const header = headerOf(bytes);
  const { width, height, isTopDown, bits, compression } = header;
  checkSize("BMP", width, height, false);
  const isCoded = compression === RLE8 || compression === RLE4;
  const fields = bits > 8 ? fieldsOf(bytes, header) : undefined;
  const { colours, end } = paletteOf(bytes, header, fields?.end);
  const offset = pixelsAt(bytes, header, end);
  const rowBytes = 4 * Math.ceil((width * bits) / 32);
  // The bytes that fill the last row are not needed.
  const needed = isCoded ? 1 : rowBytes * (height - 1) + Math.ceil((width * bits) / 8);
  if (offset + needed > bytes.length) throw truncated("BMP", bytes);
  const channels = fields || colours.some((value, i) => value !== colours[i - (i % 3)]) ? 3 : 1;
  const form: BmpForm = { width, height, channels, isTopDown, bits, rowBytes, isCoded, colours, fields };
  return {
    header: { format: "BMP", width, height, channels, isProgressive: false, orientation: 1 },
    frame: {
      ...{ bytes, left: 0, top: 0, width, height },
      decode: () => decodeBmp(bytes, offset, form),
    },
  };
}

function headerOf(bytes: Uint8Array): Header {
  const at = FILE_HEADER_BYTES;
  const length = littleEndian(bytes, at, 4);
  if (length < CORE_HEADER || at + length > bytes.length) throw truncated("BMP", bytes);
  const number = (offset: number, size: number) =>
    offset + size <= length ? littleEndian(bytes, at + offset, size) : 0;
  if (length === CORE_HEADER) {
    const [width, height] = [number(4, 2), number(6, 2)];
    return readable({ length, width, height, isTopDown: false, bits: number(10, 2), compression: RGB, colours: 0 });
  }
  const isWindows = windowsHeaders.includes(length);
  if (!isWindows && (length < 16 || length > 64)) throw unread("BMP", `one with a header of ${length} bytes`);
  const compression = number(16, 4);
  if (!isWindows && compression > RLE4) throw unread("BMP", `one of OS/2 with compression ${compression}`);
  const height = number(8, 4) | 0;
  return readable({
    length,
    width: Math.max(0, number(4, 4) | 0),
    height: Math.abs(height),
    isTopDown: height < 0,
    bits: number(14, 2),
    compression,
    colours: number(32, 4),
  });
}

function readable(header: Header): Header {
  const { bits, compression } = header;
  const depths = readForms.get(compression);
  if (!depths) throw unread("BMP", `one of compression ${compression}`);
  if (depths.includes(bits)) return header;
  const kind = compression === RGB ? "" : ` with compression ${compression}`;
  throw unread("BMP", `one of ${bits} bits per pixel${kind}`);
}

/** Bits of red, green, blue and alpha in a pixel, and the offset of the bytes after them. */
function fieldsOf(bytes: Uint8Array, { length, bits, compression }: Header): Fields & { readonly end: number } {
  const end = FILE_HEADER_BYTES + length;
  const usual = bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff];
  if (compression === RGB) return { colours: usual, alpha: 0, end };
  // After the header of 40 bytes, in the longer ones.
  const at = FILE_HEADER_BYTES + 40;
  const count = compression === ALPHA_FIELDS || length >= 56 ? 4 : 3;
  if (at + 4 * count > bytes.length) throw truncated("BMP", bytes);
  const [red = 0, green = 0, blue = 0, alpha = 0] = Array.from({ length: count }, (_, i) =>
    littleEndian(bytes, at + 4 * i, 4),
  );
  for (const field of [red, green, blue, ...(alpha === 0 ? [] : [alpha])]) {
    if (isRun(field) && field < 2 ** bits) continue;
    throw damaged("BMP", `a field of a colour in the bits 0x${field.toString(16)} of a pixel of ${bits}`);
  }
  return { colours: [red, green, blue], alpha, end: Math.max(end, at + 4 * count) };
}

/** True if the bits of a number are one run of ones. */
function isRun(field: number): boolean {
  const lowest = (field & -field) >>> 0;
  return field !== 0 && Number.isInteger(Math.log2(field / lowest + 1));
}

/** Red, green and blue of each colour, and the offset of the bytes after the palette. The palette ends where the pixels begin. */
function paletteOf(
  bytes: Uint8Array,
  { length, bits, colours: announced }: Header,
  start = FILE_HEADER_BYTES + length,
): { readonly colours: Uint8Array; readonly end: number } {
  if (bits > 8) return { colours: new Uint8Array(), end: start };
  const entry = length === CORE_HEADER ? 3 : 4;
  const count = Math.min(announced || 2 ** bits, 2 ** bits);
  const pixels = littleEndian(bytes, 10, 4);
  const room = pixels > start ? Math.floor((pixels - start) / entry) : count;
  const stored = Math.min(count, room);
  if (start + stored * entry > bytes.length) throw truncated("BMP", bytes);
  const colours = new Uint8Array(3 * stored);
  for (let i = 0; i < stored; i++) {
    for (let c = 0; c < 3; c++) colours[3 * i + c] = bytes[start + i * entry + 2 - c] as number;
  }
  return { colours, end: start + stored * entry };
}

/** Offset of the pixels. Some programs write 0 or the place of the palette instead; Pillow reads these files, too. */
function pixelsAt(bytes: Uint8Array, { length, bits }: Header, end: number): number {
  const offset = littleEndian(bytes, 10, 4);
  if (offset === 0 || (bits <= 8 && offset === FILE_HEADER_BYTES + length)) return end;
  if (offset < FILE_HEADER_BYTES + length) throw damaged("BMP", `its pixels begin in its header, at byte ${offset}`);
  return offset;
}
