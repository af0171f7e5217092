/** Examines images: reads and decodes each completely, in this process. */
import { availableParallelism } from "node:os";
import type { ImageFormat } from "../../image/files/format.ts";
import type { ImageOutcome } from "../pack/imageJob.ts";
import { createImageWorkers } from "../pack/imageWorkers.ts";

/** Examines files on every core, in any order. Throws DataError naming the files at hand if a thread dies of one. */
export async function* examine(paths: readonly string[]): AsyncGenerator<ExaminedFile> {
  const workers = createImageWorkers({ threads: Math.min(availableParallelism(), paths.length) });
  try {
    const jobs = paths.map((path) => ({ path }));
    for await (const { path, outcome } of workers.run(jobs)) yield { path, result: examinationOf(outcome) };
  } finally {
    await workers.close();
  }
}

/** The examination in the outcome of a job without a fitting. */
export function examinationOf({ decoded, error = "" }: ImageOutcome): Examination {
  return decoded ? { hash: decoded.pixels ?? "", ...decoded.source } : { error };
}

/** An image that can be trained with. */
export interface ImageFacts {
  /** SHA-256 of size and pixels, in hexadecimal: the same whatever format and metadata the file has. */
  readonly hash: string;
  /** By its content, whatever its name says. */
  readonly format: ImageFormat;
  /** Upright. */
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/** The facts of an image file, or its error. */
export type Examination = ImageFacts | { readonly error: string };

/** A file and what was learnt of it. */
export interface ExaminedFile {
  /** Path, unchanged from the request. */
  readonly path: string;
  /** `error` begins with what was expected, without the file's name. */
  readonly result: Examination;
}

/** Reads and decodes every file, whichever order they come in. Never fails because of a file. */
export type Examine = (paths: readonly string[]) => AsyncIterable<ExaminedFile>;
