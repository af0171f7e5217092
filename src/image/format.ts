/** The image file formats that are read. */
export type ImageFormat = "JPEG" | "PNG";

/** What a file starts with, as one character a byte. */
const signatures: readonly (readonly [start: string, name: string])[] = [
  ["\xff\xd8\xff", "JPEG"],
  ["\x89PNG\r\n\x1a\n", "PNG"],
  ["GIF8", "a GIF file"],
  ["RIFF", "a RIFF file (WebP?)"],
  ["BM", "a BMP file"],
  ["II*\0", "a TIFF file"],
  ["MM\0*", "a TIFF file"],
  ["%PDF", "a PDF file"],
  ["PK\x03\x04", "a zip archive"],
  ["\x1f\x8b", "a gzip file"],
  ["<", "text that starts like XML, SVG or HTML"],
];

/** The format of a file by its first bytes, or else, as `other`, words for what it seems to be. */
export function recogniseFormat(bytes: Uint8Array): ImageFormat | { readonly other: string } {
  if (bytes.length === 0) return { other: "an empty file" };
  const start = String.fromCharCode(...bytes.subarray(0, 8));
  const name = signatures.find(([signature]) => start.startsWith(signature))?.[1];
  if (name === "JPEG" || name === "PNG") return name;
  return { other: name ?? `a file that starts with ${JSON.stringify(start.replace(/[^ -~]/g, "."))}` };
}

/**
 * Whether the file reaches its end mark (JPEG: EOI; PNG: IEND); bytes behind that are allowed, as cameras write them.
 * Decoders invent what is missing at the end of a truncated file, or do not read that far.
 */
export function reachesEnd(format: ImageFormat, bytes: Uint8Array): boolean {
  return format === "JPEG" ? jpegReachesEnd(bytes) : pngReachesEnd(bytes);
}

/** Source: ITU-T T.81, annex B: segments carry their length; in coded data 0xFF is followed by 0, a restart mark or a fill byte. */
function jpegReachesEnd(bytes: Uint8Array): boolean {
  let position = 2;
  while (position + 1 < bytes.length) {
    const marker = bytes[position + 1] as number;
    const isCodedData = bytes[position] !== 0xff || marker === 0 || (marker >= 0xd0 && marker <= 0xd7);
    if (isCodedData) {
      const next = bytes.indexOf(0xff, position + 1);
      if (next < 0) return false;
      position = next;
    } else if (marker === 0xff) position++;
    else if (marker === 0xd9) return true;
    else position += 2 + uint16(bytes, position + 2);
  }
  return false;
}

function uint16(bytes: Uint8Array, position: number): number {
  return ((bytes[position] ?? 0) << 8) | (bytes[position + 1] ?? 0);
}

/** Source: W3C PNG, 5.3: a chunk is its length, type, data and checksum. */
function pngReachesEnd(bytes: Uint8Array): boolean {
  let position = 8;
  while (position + 12 <= bytes.length) {
    const length = uint16(bytes, position) * 0x10000 + uint16(bytes, position + 2);
    const type = String.fromCharCode(...bytes.subarray(position + 4, position + 8));
    position += 12 + length;
    if (type === "IEND") return position <= bytes.length;
  }
  return false;
}
