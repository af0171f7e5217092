/** Images of a pack that are not what was written: decoded again from their files. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Fitting } from "../../image/prepare/fitter.ts";
import { checksumOf } from "./checksum.ts";
import { createImageJobs } from "./imageJob.ts";
import { type PackPixels, type Place, pathOf } from "./pixels.ts";

/** An image of a pack by its file, relative to the root, and the place and checksum of its pixels. */
export interface PackedPixels extends Place {
  readonly file: string;
  readonly checksum: number;
}

/** Decodes an image again; its pixels, or undefined if the file is not what was packed any more. */
export type Mender = (image: PackedPixels) => Promise<Uint8Array | undefined>;

/** Makes one, which also writes the pixels to where they belong, and says so once. One image at a time: each is decoded at its full size. */
export function createMender(
  pixels: PackPixels,
  root: string,
  fitting: Fitting,
  onMessage?: (message: string) => void,
): Mender {
  const decode = createImageJobs(fitting);
  let isTold = false;
  let last: Promise<unknown> = Promise.resolve();
  const mend = async ({ file, checksum, ...place }: PackedPixels) => {
    const { decoded } = await decode({ path: join(root, file) });
    const data = decoded?.kept?.image.data;
    if (!data || checksumOf(data) !== checksum) return undefined;
    const path = pathOf(pixels, place);
    if (!isTold) onMessage?.(`${path}: damaged at ${place.offset}; decoding the images again whose pixels changed`);
    isTold = true;
    await writeBack(path, place.offset, data);
    return data;
  };
  return (image) => {
    const mended = last.then(() => mend(image));
    last = mended;
    return mended;
  };
}

/** The same bytes as ever, so that it does not matter who reads or writes them meanwhile. */
async function writeBack(path: string, offset: number, data: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "r+");
    await file.write(data, 0, data.length, offset).finally(() => file.close());
  } catch {
    // The pack is gone or read-only: the image is decoded each time.
  }
}
