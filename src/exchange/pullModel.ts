/** Takes published weights into the user's cache. */
import { mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileExists } from "../checkpoint/checkpointFiles.ts";
import { explainingWrites } from "../checkpoint/durable.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { pretrainedFile } from "../checkpoint/pretrainedFiles.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import type { DatasetOptions } from "../dataset/dataset.ts";
import { checkFile, downloadArchive } from "../dataset/download/download.ts";
import { CheckpointError, DataError, messageOf } from "../errors.ts";
import { findFormat } from "../formats/formats.ts";
import { checkedWeights } from "../formats/tensorNaming.ts";
import { writeModel } from "./importModel.ts";
import type { Pretrained } from "./pretrained.ts";

/** Where published weights come from and go to. */
export interface PullOptions extends Pick<DatasetOptions, "cacheDir" | "onProgress" | "signal"> {
  /** The published file, if it is on this machine already. It is only read. Default: it is downloaded. */
  readonly file?: string | undefined;
}

/** Published weights in the cache. */
export interface Pulled {
  /** The weights file. */
  readonly weights: string;
  /** Whether it was there before. */
  readonly wasThere: boolean;
}

/**
 * Downloads published weights and converts them, once: into a weights file in the cache, which `resolveModelFile` finds by their name. One that is
 * there and undamaged stays. A download that was cut goes on where it ended.
 *
 * Throws DataError, with what to fetch and how to give it, if the file cannot be had or is not the published one; CheckpointError if its tensors are not
 * the network's or the weights file cannot be written; the signal's reason if that is aborted.
 */
export async function pullModel(pretrained: Pretrained, options: PullOptions = {}): Promise<Pulled> {
  const weights = pretrainedFile(pretrained.name, options);
  if (await isWhole(weights)) return { weights, wasThere: true };
  await explainingWrites(weights, () => mkdir(dirname(weights), { recursive: true }));
  if (options.file !== undefined) {
    await checkGiven(options.file, pretrained);
    await convert(options.file, weights, pretrained, options);
  } else {
    const downloaded = join(dirname(weights), basename(pretrained.archive.url));
    await download(downloaded, pretrained, options);
    await convert(downloaded, weights, pretrained, options);
    await rm(downloaded, { force: true });
  }
  return { weights, wasThere: false };
}

/** Whether there is a weights file without damage. */
async function isWhole(file: string): Promise<boolean> {
  if (!(await fileExists(file))) return false;
  try {
    await withReader(file, (reader) => reader.verify());
    return true;
  } catch (error) {
    if (error instanceof CheckpointError) return false;
    throw error;
  }
}

async function checkGiven(file: string, { name, archive }: Pretrained): Promise<void> {
  try {
    await checkFile(file, archive);
  } catch (cause) {
    const remedy = `${name} is made of ${archive.url}; weights of your own: alexnet import`;
    throw new DataError(`${messageOf(cause)}; ${remedy}`, { cause });
  }
}

/** What an earlier pull has downloaded, but not converted, is taken if it is the published file. */
async function download(path: string, { name, archive }: Pretrained, options: PullOptions): Promise<void> {
  const isThere = await checkFile(path, archive).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  try {
    await downloadArchive(path, archive, options);
  } catch (cause) {
    options.signal?.throwIfAborted();
    throw new DataError(
      `${name}: not downloaded (${messageOf(cause)}); try again, or get ${archive.url} on another machine, ` +
        `bring it here and give it: alexnet pull ${name} --file ${basename(archive.url)}`,
      { cause },
    );
  }
}

async function convert(file: string, weights: string, pretrained: Pretrained, { signal }: PullOptions): Promise<void> {
  const { format, published, source, archive } = pretrained;
  const { top1Accuracy, top5Accuracy } = published;
  const model: Model = {
    ...pretrained.model,
    metrics: { publishedTop1Accuracy: top1Accuracy, publishedTop5Accuracy: top5Accuracy },
    precision: "f32",
    exact: true,
  };
  const opened = await findFormat("read", file, format).read(file);
  try {
    const tensors = checkedWeights(file, opened.weights, model.network);
    await writeModel(weights, model, tensors, { notes: { source, url: archive.url }, signal });
  } finally {
    await opened.close();
  }
}
