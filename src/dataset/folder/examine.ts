/** Decodes images to examine them in this process. */
import { availableParallelism } from "node:os";
import type { ImageOutcome } from "../pack/imageJob.ts";
import { createImageWorkers } from "../pack/imageWorkers.ts";
import type { Examination, ExaminedFile } from "./examination.ts";

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

/** What a job without a fitting tells of its file. */
export function examinationOf({ sha256 = "", decoded, error = "" }: ImageOutcome): Examination {
  return decoded ? { hash: sha256, ...decoded.source } : { error };
}
