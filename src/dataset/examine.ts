import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import { decodeBytes } from "../image/decode.ts";
import type { Examination, ExaminedFile } from "./examination.ts";
import { systemReason } from "./folderEntries.ts";

/** Pictures decoded at a time: as many as Node.js has threads for it by itself. */
const atATime = 4;

/** Examines files in this process, a few at a time, in their order. */
export async function* examine(paths: readonly string[]): AsyncGenerator<ExaminedFile> {
  const begun: Promise<ExaminedFile>[] = [];
  for (const path of paths) {
    begun.push(examineFile(path));
    if (begun.length < atATime) continue;
    yield (await begun.shift()) as ExaminedFile;
  }
  for (const examined of begun) yield examined;
}

async function examineFile(path: string): Promise<ExaminedFile> {
  return { path, result: await examinePicture(path) };
}

async function examinePicture(path: string): Promise<Examination> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    return { error: `expected a file that can be read, but ${systemReason(error)}` };
  }
  try {
    const { image, format } = await decodeBytes(bytes);
    const { width, height, channels } = image;
    return { hash: createHash("sha256").update(bytes).digest("hex"), format, width, height, channels };
  } catch (error) {
    return { error: messageOf(error) };
  }
}
