/** Published weights: their address, network and classes, and their conversion into the user's cache. */
import { mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileExists } from "../checkpoint/checkpointFiles.ts";
import { explainingWrites } from "../checkpoint/durable.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { pretrainedFile } from "../checkpoint/pretrainedFiles.ts";
import { type PretrainedName, pretrainedNames } from "../checkpoint/pretrainedNames.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import type { DatasetOptions } from "../dataset/dataset.ts";
import { type Archive, checkFile, downloadArchive } from "../dataset/download/download.ts";
import { CheckpointError, ConfigError, DataError, messageOf } from "../errors.ts";
import { findFormat } from "../formats/formats.ts";
import { checkedWeights } from "../formats/tensorNaming.ts";
import { createFit } from "../image/prepare/fit.ts";
import { alexnetOwt } from "../network/alexnetOwt.ts";
import { imagenetClasses } from "./imagenetClasses.ts";
import { imagenetScale } from "./importDescription.ts";
import { writeModel } from "./importModel.ts";

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

/** Published weights. */
export interface Pretrained {
  readonly name: PretrainedName;
  /** The file as it is published; its name in the URL is that under which it is downloaded. */
  readonly archive: Archive;
  /** What reads it, see `formats.ts`. */
  readonly format: string;
  /** As published: accuracies are fractions. */
  readonly published: { readonly top1Accuracy: number; readonly top5Accuracy: number };
  readonly source: string;
  readonly model: Pick<Model, "network" | "classNames" | "preprocessing">;
}

const size = { width: 224, height: 224 };

/**
 * By name. Sources of torchvision's: its models/alexnet.py, AlexNet_Weights, for address, accuracy, class names and preprocessing (transforms/_presets.py,
 * ImageClassification); the SHA-256 begins as the file's name says, and is whole as Hugging Face's copies of the file give it.
 */
const published: { readonly [Name in PretrainedName]: Pretrained & { readonly name: Name } } = {
  torchvision: {
    name: "torchvision",
    archive: {
      url: "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
      sha256: "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
      // 233.087 MB, as torchvision has it.
      bytes: Math.round(233.087 * 2 ** 20),
    },
    format: "pytorch",
    published: { top1Accuracy: 0.56522, top5Accuracy: 0.79066 },
    source: "torchvision.models.AlexNet_Weights.IMAGENET1K_V1",
    model: {
      network: alexnetOwt,
      classNames: imagenetClasses,
      preprocessing: {
        size: [size.height, size.width],
        channels: 3,
        fit: createFit("crop", size),
        resize: "bilinear",
        ...imagenetScale,
      },
    },
  },
};

/** Published weights by name. Throws ConfigError listing the names if there are none of this one. */
export function findPretrained(name: string): Pretrained {
  const known = pretrainedNames.find((each) => each === name);
  if (known !== undefined) return published[known];
  throw new ConfigError(`${name}: no published weights of this name; there are ${pretrainedNames.join(", ")}`);
}
