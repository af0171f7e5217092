/** Picture files, decoded on every core, in order, some at a time. */
import { availableParallelism } from "node:os";
import type { Image } from "../../image/image.ts";
import type { Fitting } from "../../image/prepare/fitter.ts";
import type { ImageJob } from "./imageJob.ts";
import { createImageWorkers, type ImageWorkers, type ImageWorkersOptions } from "./imageWorkers.ts";

/** What came of a file. */
export type StreamedPicture =
  | { readonly path: string; readonly image: Image }
  | {
      readonly path: string;
      /** What is wrong, without the file's name. */
      readonly error: string;
    };

/** How files are streamed. */
export interface PictureStreamOptions extends Pick<ImageWorkersOptions, "threads" | "module"> {
  /** Pictures come no larger than this needs them. */
  readonly fitting: Fitting;
  /** So many files are decoded together. */
  readonly atATime: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Decodes files, `atATime` together and the next ones while those are used; there are never more in memory. A file that cannot be read does not
 * keep others from it.
 *
 * Throws DataError naming the files if a thread dies; the signal's reason if that is aborted.
 */
export async function* streamPictures(
  files: readonly ImageJob[],
  { fitting, atATime, signal, module, threads = availableParallelism() }: PictureStreamOptions,
): AsyncGenerator<readonly StreamedPicture[]> {
  const workers = createImageWorkers({ fitting, module, threads: Math.min(threads, files.length) });
  let next = decodeAll(workers, files.slice(0, atATime), signal);
  try {
    for (let start = 0; start < files.length; start += atATime) {
      const pictures = await next;
      next = decodeAll(workers, files.slice(start + atATime, start + 2 * atATime), signal);
      // Whoever leaves before they are used need not know that it failed.
      next.catch(() => {});
      yield pictures;
    }
  } finally {
    await next.catch(() => {});
    await workers.close();
  }
}

async function decodeAll(
  workers: ImageWorkers,
  files: readonly ImageJob[],
  signal: AbortSignal | undefined,
): Promise<readonly StreamedPicture[]> {
  const pictures: StreamedPicture[] = [];
  for await (const { index, path, outcome } of workers.run(files, signal)) {
    const image = outcome.decoded?.kept?.image;
    pictures[index] = image ? { path, image } : { path, error: outcome.error ?? "it could not be read" };
  }
  return pictures;
}
