/** Examination of image files: reads and decodes each completely. */
import { availableParallelism } from "node:os";
import type { ImageFormat } from "../../image/files/format.ts";
import type { ImageOutcome } from "../pack/imageJob.ts";
import { createImageWorkers } from "../pack/imageWorkers.ts";

/** Examines files on all cores, in any order. Throws DataError naming the current files if a thread dies. */
export async function* examine(paths: readonly string[]): AsyncGenerator<ExaminedFile> {
  const workers = createImageWorkers({ threads: Math.min(availableParallelism(), paths.length) });
  try {
    const jobs = paths.map((path) => ({ path }));
    for await (const { path, outcome } of workers.run(jobs)) yield { path, result: examinationOf(outcome) };
  } finally {
    await workers.close();
  }
}

/** Examination result of a job without fitting. */
export function examinationOf({ decoded, error = "" }: ImageOutcome): Examination {
  return decoded ? { hash: decoded.pixels ?? "", ...decoded.source } : { error };
}

/** Properties of a readable image. */
export interface ImageFacts {
  /** SHA-256 of size and pixels, in hexadecimal; independent of format and metadata. */
  readonly hash: string;
  /** Detected from the content, not from the name. */
  readonly format: ImageFormat;
  /** After applying the EXIF orientation. */
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** Properties of an image file, or its error. */
export type Examination = ImageFacts | { readonly error: string };

/** A file and its examination. */
export interface ExaminedFile {
  /** Path as requested. */
  readonly path: string;
  /** `error` begins with "expected …", without the file's name. */
  readonly result: Examination;
}

/** Reads and decodes every file; results come in any order. Never rejects because of a file. */
export type Examine = (paths: readonly string[]) => AsyncIterable<ExaminedFile>;
