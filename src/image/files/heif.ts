/** Structure of an AVIF or HEIC file: the primary image, its size, completeness. */

import type { PixelSize } from "../image.ts";
import { av1Size } from "./av1.ts";
import type { ImageFormat } from "./format.ts";
import { type HeifItems, itemsOf, topBoxes } from "./heifBoxes.ts";
import { bigEndian, checkSize, damaged, type ImageFile, truncated, unread } from "./imageFile.ts";

/** Kinds of items that are coded images: AV1 and HEVC. */
const [AV1, HEVC, GRID] = ["av01", "hvc1", "grid"];

/** A file, its items, and the format for messages. */
interface Heif {
  readonly format: ImageFormat;
  readonly bytes: Uint8Array;
  readonly items: HeifItems;
}

/**
 * Parses an AVIF or HEIC file. Throws DataError if it is damaged, incomplete, too large or of a kind that is not read.
 *
 * The decoder turns, mirrors and crops the image by its properties, and ignores EXIF, as the standard requires. The header therefore has the size
 * after that.
 *
 * Source: ISO/IEC 23008-12 (HEIF), AVIF 1.2.0.
 */
export function inspectHeif(format: "AVIF" | "HEIC"): (bytes: Uint8Array) => ImageFile {
  return (bytes) => {
    const { meta, hasFilm, end } = topBoxes(format, bytes);
    if (!meta && hasFilm) throw unread(format, "a film without a still image");
    if (!meta) throw truncated(format, bytes);
    const items = itemsOf(format, bytes, meta);
    const heif = { format, bytes, items };
    const { codec, size } = codedImage(heif, items.primary);
    for (const id of new Set(items.referencesTo("auxl", items.primary))) codedImage(heif, id);
    if (items.references("prem", items.primary).length > 0)
      throw unread(format, "one whose colours are multiplied by alpha");
    const { width, height } = placedSize(heif, size);
    checkSize(format, width, height, true);
    const isGrey = items.properties(items.primary, "av1C").some((data) => ((data[2] ?? 0) & 0x10) !== 0);
    return {
      header: { format, width, height, channels: isGrey ? 1 : 3, isProgressive: true, orientation: 1 },
      frame: {
        bytes: renamed(bytes.subarray(0, end), format),
        left: 0,
        top: 0,
        width,
        height,
        needsHevc: codec === HEVC,
      },
    };
  };
}

/** The file under the format's own brand: libvips knows only some of the others. */
function renamed(bytes: Uint8Array, format: "AVIF" | "HEIC"): Uint8Array {
  const file = Uint8Array.from(bytes);
  file.set(Buffer.from(format.toLowerCase()), 8);
  return file;
}

/** Codec and size of an item and of its tiles, checked before anything is decoded. */
function codedImage(heif: Heif, id: number): { readonly codec: string; readonly size: PixelSize } {
  const { format, items } = heif;
  const codec = items.typeOf(id);
  const [ispe] = items.properties(id, "ispe");
  if (!ispe || ispe.length < 12) throw damaged(format, "an image without a size");
  const size = { width: bigEndian(ispe, 4, 4), height: bigEndian(ispe, 8, 4) };
  checkSize(format, size.width, size.height, true);
  if (codec === GRID) return { codec: gridCodec(heif, id, size), size };
  const { start, length } = items.dataOf(id);
  if (length === 0) throw damaged(format, "an image without data");
  if (codec === HEVC) return { codec, size };
  if (codec !== AV1) throw unread(format, `one coded as ${JSON.stringify(codec)}`);
  const coded = av1Size(start);
  if (!coded) throw damaged(format, "its image has no sequence header");
  if (coded.width > size.width || coded.height > size.height) {
    throw damaged(
      format,
      `an image of ${coded.width}×${coded.height} pixels where its header says ${size.width}×${size.height}`,
    );
  }
  return { codec, size };
}

/** Codec of the tiles of a grid, which must be as many as the image needs. Source: ISO/IEC 23008-12, 6.6.2.3. */
function gridCodec(heif: Heif, id: number, { width, height }: PixelSize): string {
  const { format, bytes, items } = heif;
  const { start: data } = items.dataOf(id);
  const field = ((data[1] ?? 0) & 1) === 0 ? 2 : 4;
  const [rows, columns] = [(data[2] ?? 0) + 1, (data[3] ?? 0) + 1];
  const output = { width: bigEndian(data, 4, field), height: bigEndian(data, 4 + field, field) };
  const tiles = items.references("dimg", id);
  if (
    data.length < 4 + 2 * field ||
    output.width !== width ||
    output.height !== height ||
    tiles.length !== rows * columns
  ) {
    throw damaged(format, "a grid that contradicts its header");
  }
  // Tiles may share bytes, but then each of 65,536 could be the whole file.
  const stored = tiles.reduce((sum, tile) => sum + items.dataOf(tile).length, 0);
  if (stored > bytes.length + 3 * width * height) throw damaged(format, "tiles of more bytes than the file");
  const coded = [...new Set(tiles)].map((tile) => {
    if (items.typeOf(tile) === GRID) throw damaged(format, "a grid of grids");
    return codedImage(heif, tile);
  });
  const fits = coded.every(
    ({ codec, size }) =>
      codec === coded[0]?.codec &&
      size.width * columns >= width &&
      size.width * (columns - 1) < width &&
      size.height * rows >= height &&
      size.height * (rows - 1) < height,
  );
  if (!fits) throw damaged(format, `tiles that do not cover ${width}×${height} pixels`);
  return (coded[0] as { codec: string }).codec;
}

/** Size after the crop and the rotations of the primary image. Source: ISO/IEC 23008-12, 6.5.9 and 6.5.10. */
function placedSize({ items }: Heif, coded: PixelSize): PixelSize {
  let { width, height } = coded;
  for (const { type, data } of items.allProperties(items.primary)) {
    if (type === "irot" && ((data[0] ?? 0) & 1) === 1) [width, height] = [height, width];
    if (type === "clap") {
      width = Math.min(width, Math.round(bigEndian(data, 0, 4) / bigEndian(data, 4, 4)) || 0);
      height = Math.min(height, Math.round(bigEndian(data, 8, 4) / bigEndian(data, 12, 4)) || 0);
    }
  }
  return { width, height };
}
