/** Image files that exist in memory only, given to `decodeImage`. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError } from "../src/errors.ts";
import { decodeImage } from "../src/image/files/decode.ts";
import type { Image } from "../src/image/image.ts";

/** The picture in a file of these bytes, whose name says nothing. A message names the file `picture`. */
export async function decodeAsFile(bytes: Uint8Array): Promise<Image> {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-image-"));
  try {
    await writeFile(join(folder, "picture"), bytes);
    return await decodeImage(join(folder, "picture"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The file is refused with a message of one line that begins with the file's name. */
export async function assertRefused(bytes: Uint8Array | string, message: RegExp): Promise<void> {
  await assert.rejects(decodeAsFile(Buffer.from(bytes)), (error: unknown) => {
    assert.ok(error instanceof DataError, String(error));
    assert.match(error.message, /^\S+picture: expected [^\n]*$/);
    assert.match(error.message, message);
    return true;
  });
}
