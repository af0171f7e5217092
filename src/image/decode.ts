import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { DataError, messageOf } from "../errors.ts";
import { reachesEnd, recogniseFormat } from "./format.ts";
import type { Image } from "./image.ts";

/**
 * Reads a JPEG or PNG file, whichever its content says: upright by its EXIF orientation, 16 bits cut to 8, palettes and
 * CMYK as RGB, transparent parts on white as a viewer shows them. Grey files keep one channel. Other colour profiles are
 * not applied: the numbers are used as stored, as Pillow and so torchvision do.
 *
 * Throws DataError if the file is missing, not a JPEG or PNG, or incomplete or damaged.
 */
export async function decodeImage(path: string): Promise<Image> {
  const bytes = await readImageFile(path);
  const format = recogniseFormat(bytes);
  if (typeof format === "object") throw new DataError(`${path}: expected a JPEG or PNG image, got ${format.other}`);
  if (!reachesEnd(format, bytes)) {
    throw new DataError(
      `${path}: expected a complete ${format} image, got a truncated one (${bytes.length} bytes without its end mark)`,
    );
  }
  try {
    const picture = sharp(bytes, { failOn: "warning", autoOrient: true, ignoreIcc: true });
    const { space, hasAlpha } = await picture.metadata();
    if (hasAlpha) picture.flatten({ background: "white" });
    const isGrey = space === "b-w" || space === "grey16";
    picture.toColourspace(isGrey ? "b-w" : "srgb").raw();
    const { data, info } = await picture.toBuffer({ resolveWithObject: true });
    return {
      width: info.width,
      height: info.height,
      channels: isGrey ? 1 : 3,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    };
  } catch (error) {
    const reason = messageOf(error).trim().replaceAll("\n", "; ");
    throw new DataError(`${path}: expected an intact ${format} image, got a damaged one (${reason})`, { cause: error });
  }
}

async function readImageFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    const reason = isMissing ? "there is no such file" : messageOf(error);
    throw new DataError(`${path}: expected a JPEG or PNG image, but ${reason}`, { cause: error });
  }
}

/** An image as the bytes of a PNG file: grey if it has one channel, without loss. */
export async function encodePng({ width, height, channels, data }: Image): Promise<Uint8Array> {
  return sharp(data, { raw: { width, height, channels } })
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .png()
    .toBuffer();
}
