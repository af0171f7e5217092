/** Repair of corrupt images in a pack: decodes them again from their files. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Fitting } from "../../image/prepare/fitter.ts";
import { checksumOf } from "./checksum.ts";
import { createImageJobs } from "./imageJob.ts";
import { type PackPixels, type Place, pathOf } from "./pixels.ts";

/** A packed image: its file, relative to the root, with the place and checksum of its pixels. */
export interface PackedPixels extends Place {
  readonly file: string;
  readonly checksum: number;
}

/** Decodes an image again. Returns its pixels, or undefined if the file has changed since it was packed. */
export type Mender = (image: PackedPixels) => Promise<Uint8Array | undefined>;

/** Creates a mender, which also writes the pixels back and reports this once. One image at a time: each is decoded at its full size. */
export function createMender(
  pixels: PackPixels,
  root: string,
  fitting: Fitting,
  onMessage?: (message: string) => void,
): Mender {
  const decode = createImageJobs(fitting);
  let isReported = false;
  let last: Promise<unknown> = Promise.resolve();
  const mend = async ({ file, checksum, ...place }: PackedPixels) => {
    const { decoded } = await decode({ path: join(root, file) });
    const data = decoded?.kept?.image.data;
    if (!data || checksumOf(data) !== checksum) return undefined;
    const path = pathOf(pixels, place);
    if (!isReported) onMessage?.(`${path}: corrupt at ${place.offset}; decoding the affected images again`);
    isReported = true;
    await writeBack(path, place.offset, data);
    return data;
  };
  return (image) => {
    const mended = last.then(() => mend(image));
    last = mended;
    return mended;
  };
}

/** Writes the original bytes, so concurrent readers and writers do no harm. */
async function writeBack(path: string, offset: number, data: Uint8Array): Promise<void> {
  try {
    const file = await open(path, "r+");
    await file.write(data, 0, data.length, offset).finally(() => file.close());
  } catch {
    // The pack is gone or read-only: the image is decoded at each use.
  }
}
