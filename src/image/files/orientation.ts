/** EXIF orientation. */
import { bigEndian, littleEndian } from "./imageFile.ts";

/**
 * EXIF's orientation of an image, 1 to 8, from EXIF data as it lies in a file, with or without `Exif\0\0` in front. 1,
 * which is upright, if nothing else can be read: damaged EXIF is common, and no reason to refuse an image.
 *
 * Source: EXIF 2.32 (JEITA CP-3451E), 4.5.2 and 4.6.4 A: a TIFF header, then a directory of entries of 12 bytes: tag, type,
 * count, value.
 */
export function exifOrientation(exif: Uint8Array): number {
  const tiff = exif[0] === 0x45 && exif[1] === 0x78 ? exif.subarray(6) : exif;
  const order = bigEndian(tiff, 0, 2);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const number = order === 0x4949 ? littleEndian : bigEndian;
  const directory = number(tiff, 4, 4);
  if (number(tiff, 2, 2) !== 42 || directory + 2 > tiff.length) return 1;
  const entries = number(tiff, directory, 2);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.length) break;
    const isShort = number(tiff, entry + 2, 2) === 3 && number(tiff, entry + 4, 4) === 1;
    if (number(tiff, entry, 2) !== 0x112 || !isShort) continue;
    const value = number(tiff, entry + 8, 2);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}
