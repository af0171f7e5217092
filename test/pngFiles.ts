/** PNG files, valid and not, from their parts. Source: W3C PNG. */
import { deflateSync } from "node:zlib";
import { crc32 } from "../src/image/files/crc32.ts";

export interface PngForm {
  readonly width: number;
  readonly height: number;
  readonly bitDepth: number;
  readonly colourType: number;
  readonly isInterlaced?: boolean;
}

/** How many samples a pixel of each colour type has. */
export const samplesPerPixel: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

export function pngChunk(type: string, data: Uint8Array | readonly number[] = []): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), Uint8Array.from(data)]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

export function ihdr({ width, height, bitDepth, colourType, isInterlaced = false }: PngForm): Buffer {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width);
  data.writeUInt32BE(height, 4);
  data.set([bitDepth, colourType, 0, 0, isInterlaced ? 1 : 0], 8);
  return pngChunk("IHDR", data);
}

/** The signature and the chunks, with IEND if it is not there. */
export function pngFile(...chunks: readonly Uint8Array[]): Buffer {
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...chunks, pngChunk("IEND")]);
}

/** Adam7: where each pass begins, and its steps. A picture that is not interlaced has one pass. */
const passes: readonly (readonly [x: number, y: number, dx: number, dy: number])[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/** How pixels are coded; by default unfiltered, in one chunk. */
export interface PngCoding {
  /** Filter type 0 to 4 of a row of a pass. */
  readonly filter?: (row: number) => number;
  /** zlib's, 0 to 9. */
  readonly level?: number;
  /** The most bytes of a chunk. */
  readonly chunkBytes?: number;
}

/** The samples of `sample` as IDAT, one chunk or more. */
export function idat(
  form: PngForm,
  sample: (x: number, y: number, channel: number) => number,
  { filter = () => 0, level = 6, chunkBytes = Number.POSITIVE_INFINITY }: PngCoding = {},
): Buffer {
  const samples = samplesPerPixel[form.colourType] as number;
  const pixelBytes = Math.max(1, (samples * form.bitDepth) / 8);
  const rows: Buffer[] = [];
  for (const [x0, y0, dx, dy] of form.isInterlaced ? passes : [[0, 0, 1, 1] as const]) {
    if (x0 >= form.width) continue;
    let above: readonly number[] = [];
    for (let y = y0; y < form.height; y += dy) {
      let bits = "";
      for (let x = x0; x < form.width; x += dx) {
        for (let c = 0; c < samples; c++) bits += sample(x, y, c).toString(2).padStart(form.bitDepth, "0");
      }
      const bytes = bits.match(/.{1,8}/g)?.map((byte) => Number.parseInt(byte.padEnd(8, "0"), 2)) ?? [];
      const type = filter((y - y0) / dy);
      rows.push(Buffer.from([type, ...filtered(bytes, above, pixelBytes, type)]));
      above = bytes;
    }
  }
  const coded = deflateSync(Buffer.concat(rows), { level });
  const chunks: Buffer[] = [];
  for (let at = 0; at < coded.length; at += chunkBytes)
    chunks.push(pngChunk("IDAT", coded.subarray(at, at + chunkBytes)));
  return Buffer.concat(chunks);
}

/** A row less what its filter predicts. Source: W3C PNG, table 9.1; 255 times a number is its negative modulo 256. */
function filtered(
  row: readonly number[],
  above: readonly number[],
  pixelBytes: number,
  type: number,
): readonly number[] {
  return row.map((value, i) => {
    const [left, up, corner] = [row[i - pixelBytes] ?? 0, above[i] ?? 0, above[i - pixelBytes] ?? 0];
    const predicted = [0, left, up, Math.floor((left + up) / 2), paeth(left, up, corner)][type] as number;
    return (value + 255 * predicted) % 256;
  });
}

/** Of left, above and above left, the one closest to left + above − above left; the first of equals. Source: W3C PNG, 9.4. */
function paeth(left: number, up: number, corner: number): number {
  const distances = [left, up, corner].map((value) => Math.abs(left + up - corner - value));
  return [left, up, corner][distances.indexOf(Math.min(...distances))] as number;
}
