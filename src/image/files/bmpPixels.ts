/** Pixels of BMP files: packed rows, bit fields and run lengths. */
import type { Image } from "../image.ts";
import { imageOfPixels } from "../rawImage.ts";
import { damaged, littleEndian, truncated } from "./imageFile.ts";

/** Masks of the bits of a pixel, each a run of ones. */
export interface Fields {
  /** Red, green, blue. */
  readonly colours: readonly number[];
  /** 0: no alpha. */
  readonly alpha: number;
}

/** Layout of the pixels of a BMP file. */
export interface BmpForm {
  readonly width: number;
  readonly height: number;
  /** 1: all colours of the palette are grey. */
  readonly channels: 1 | 3;
  /** True if the first row is the uppermost. */
  readonly isTopDown: boolean;
  /** Bits per pixel. */
  readonly bits: number;
  readonly rowBytes: number;
  /** True for run lengths, RLE8 or RLE4 by the number of bits. */
  readonly isCoded: boolean;
  /** Red, green and blue of each colour of the palette. */
  readonly colours: Uint8Array;
  /** Undefined with a palette. */
  readonly fields: Fields | undefined;
}

/** Decodes the pixels from `offset` on. Throws DataError if they are damaged or incomplete. */
export function decodeBmp(bytes: Uint8Array, offset: number, form: BmpForm): Image {
  if (form.fields) return fromFields(bytes, offset, form, form.fields);
  const indices = form.isCoded ? runLengths(bytes, offset, form) : packedIndices(bytes, offset, form);
  return painted(indices, form);
}

/** Row of the image that a row of the file is. */
const rowOf = ({ height, isTopDown }: BmpForm, y: number) => (isTopDown ? y : height - 1 - y);

/** Indices of 1, 2, 4 or 8 bits, the leftmost in the high bits. */
function packedIndices(bytes: Uint8Array, offset: number, form: BmpForm): Uint8Array {
  const { width, height, bits, rowBytes } = form;
  const indices = new Uint8Array(width * height);
  const [perByte, mask] = [8 / bits, 2 ** bits - 1];
  for (let y = 0; y < height; y++) {
    const [from, to] = [offset + y * rowBytes, rowOf(form, y) * width];
    for (let x = 0; x < width; x++) {
      const byte = bytes[from + Math.floor(x / perByte)] as number;
      indices[to + x] = (byte >> (8 - bits - bits * (x % perByte))) & mask;
    }
  }
  return indices;
}

/** Marks after a 0. Another number is that of pixels that follow without compression. */
const [END_OF_ROW, END, JUMP] = [0, 1, 2];

/**
 * Indices in run lengths: a count and the pixel, or the two pixels that alternate with 4 bits. Pixels that are jumped over have index 0, and runs end
 * with their row, as in Pillow.
 *
 * Source: Microsoft, “Bitmap Compression”.
 */
function runLengths(bytes: Uint8Array, offset: number, form: BmpForm): Uint8Array {
  const { width, height, bits } = form;
  const indices = new Uint8Array(width * height);
  let [x, y, at] = [0, 0, offset];
  /** Sets pixels of which `data` holds two per byte with 4 bits; a run repeats the byte at `data`. */
  const put = (count: number, data: number, isRun: boolean) => {
    if (x >= width) throw damaged("BMP", `row ${y} has more than ${width} pixels`);
    const to = rowOf(form, y) * width + x;
    for (let i = 0; i < Math.min(count, width - x); i++) {
      const byte = bytes[isRun ? data : data + Math.floor((i * bits) / 8)] as number;
      indices[to + i] = bits === 8 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15;
    }
    x += count;
  };
  while (y < height) {
    if (at + 2 > bytes.length) throw truncated("BMP", bytes);
    const [count, value] = [bytes[at] as number, bytes[at + 1] as number];
    at += 2;
    if (count > 0) put(count, at - 1, true);
    else if (value === END) break;
    else if (value === END_OF_ROW) [x, y] = [0, y + 1];
    else if (value === JUMP) {
      if (at + 2 > bytes.length) throw truncated("BMP", bytes);
      [x, y, at] = [x + (bytes[at] as number), y + (bytes[at + 1] as number), at + 2];
    } else {
      // Filled to an even number of bytes.
      const end = at + 2 * Math.ceil((value * bits) / 16);
      if (end > bytes.length) throw truncated("BMP", bytes);
      put(value, at, false);
      at = end;
    }
  }
  return indices;
}

/** Maps indices to colours. Throws DataError for an index without a colour. */
function painted(indices: Uint8Array, { width, height, channels, colours }: BmpForm): Image {
  const data = new Uint8Array(channels * indices.length);
  for (let i = 0, to = 0; i < indices.length; i++) {
    const from = 3 * (indices[i] as number);
    if (from >= colours.length) throw damaged("BMP", `a pixel of colour ${from / 3} of ${colours.length / 3}`);
    for (let c = 0; c < channels; c++) data[to++] = colours[from + c] as number;
  }
  return { width, height, channels, data };
}

function fromFields(bytes: Uint8Array, offset: number, form: BmpForm, { colours, alpha }: Fields): Image {
  const { width, height } = form;
  const fields = [...colours, ...(alpha === 0 ? [] : [alpha])];
  const channels = fields.length;
  const data = new Uint8Array(width * height * channels);
  for (const [c, field] of fields.entries()) {
    const place = [0xff, 0xff00, 0xff0000, 0xff000000].indexOf(field);
    if (place >= 0) copyBytes(bytes, offset + place, form, data.subarray(c), channels);
    else copyLevels(bytes, offset, form, field, data.subarray(c), channels);
  }
  // Programs that write no alpha into its field leave 0, which would make the whole image transparent.
  const isOpaque = alpha !== 0 && data.every((value, i) => i % 4 < 3 || value === 0);
  if (isOpaque) for (let i = 3; i < data.length; i += 4) data[i] = 255;
  return imageOfPixels({ width, height, channels, data });
}

/** Copies a channel that is a byte of each pixel, from that of the first pixel on. */
function copyBytes(bytes: Uint8Array, offset: number, form: BmpForm, data: Uint8Array, channels: number): void {
  const { width, height, bits, rowBytes } = form;
  const step = bits / 8;
  for (let y = 0; y < height; y++) {
    let to = rowOf(form, y) * width * channels;
    let from = offset + y * rowBytes;
    for (let x = 0; x < width; x++, from += step, to += channels) data[to] = bytes[from] as number;
  }
}

/** Computes a channel from bits of each pixel, stretched to 0 … 255 and rounded down as in Pillow. */
function copyLevels(
  bytes: Uint8Array,
  offset: number,
  form: BmpForm,
  field: number,
  data: Uint8Array,
  channels: number,
): void {
  const { width, height, bits, rowBytes } = form;
  const lowest = (field & -field) >>> 0;
  const most = field / lowest;
  for (let y = 0; y < height; y++) {
    let to = rowOf(form, y) * width * channels;
    let from = offset + y * rowBytes;
    for (let x = 0; x < width; x++, from += bits / 8, to += channels) {
      const pixel = littleEndian(bytes, from, bits / 8);
      data[to] = Math.floor((255 * (((pixel & field) >>> 0) / lowest)) / most);
    }
  }
}
