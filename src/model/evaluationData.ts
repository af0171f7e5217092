/** Images to evaluate a trained network on. */

import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { Model } from "../checkpoint/metadata.ts";
import type { Dataset, Split, SplitName } from "../dataset/dataset.ts";
import { visibleName } from "../dataset/folder/classNames.ts";
import { requireLimit } from "../dataset/limit.ts";
import { memorySource } from "../dataset/memorySource.ts";
import { findDataset, storedDataset } from "../dataset/sources/datasets.ts";
import { ConfigError } from "../errors.ts";
import { type RunConfig, readRunConfig, storedLimits } from "../settings/runConfig.ts";
import { didYouMean } from "../suggest.ts";
import { resizeNote } from "./predictionInput.ts";

/** On what a trained network is measured. */
export interface EvaluationDataOptions {
  /** A name, a folder of images, or a data set object. Default: the data set that the run was trained on. */
  readonly dataset?: string | Dataset;
  readonly dataDir?: string;
  /** Default `test`: where a folder has none, what was held out of its training; of another folder without parts, all. */
  readonly split?: SplitName;
  /** At most n images: some of each class, so no fewer than there are classes. */
  readonly limit?: number;
  /** Share of the images that may be damaged. Default: the run's, if it was trained on them; else 0.01. */
  readonly maxBad?: number;
  /** Split a folder without parts as for training, if it is not the run's own. Default false: all of it is for testing. */
  readonly divided?: boolean;
  /** Called while images are decoded into the cache. */
  readonly onPacking?: (images: number, of: number) => void;
  /** Called with facts and warnings for people. */
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** Images with the model's own labels. */
export interface EvaluationData {
  /** Name of the data set, or its folder. */
  readonly name: string;
  readonly split: Split;
  close(): void;
}

/**
 * Loads the images to evaluate a model on, from a run directory or of a weights file. Classes are matched by name.
 *
 * Throws ConfigError if the data set is not known, has no such part, or has a class that the model lacks.
 */
export async function loadEvaluationData(
  path: string,
  file: string,
  model: Model,
  options: EvaluationDataOptions,
): Promise<EvaluationData> {
  const { split: part = "test" } = options;
  requireLimit("limit", options.limit);
  const dataset = await openDataset(path, file, model, options);
  try {
    const split = dataset[part];
    if (!split || split.length === 0) {
      const what = part === "train" ? "training" : part;
      throw new ConfigError(`${dataset.name}: expected ${what} pictures, but it has none; choose another --split`);
    }
    // Not a member of the data set is kept but this: what else is in memory can go.
    const { close = () => {} } = dataset;
    return { name: dataset.name, split: relabelled(split, dataset, model), close };
  } catch (error) {
    dataset.close?.();
    throw error;
  }
}

async function openDataset(
  path: string,
  file: string,
  { preprocessing: fitting }: Model,
  { dataset, split, limit, maxBad, dataDir, divided, onPacking, onMessage, signal }: EvaluationDataOptions,
): Promise<Dataset> {
  const run = await readRunConfig(path === file ? dirname(file) : path);
  const given = typeof dataset === "object" ? memorySource(dataset) : undefined;
  const name = typeof dataset === "object" ? given?.name : (dataset ?? run?.dataset.name);
  if (name === undefined) {
    throw new ConfigError(
      `${path}: no config.json beside it says which data set it was trained on; give one with --dataset (export: --calibrate)`,
    );
  }
  const isStored = run && (dataset === undefined || (typeof dataset === "string" && (await isFolderOf(run, dataset))));
  const found = () => (isStored ? storedDataset(run.dataset.name) : findDataset(name, { dataDir, onMessage }));
  const source = given ?? (await found());
  const own = source.name === run?.dataset.name ? run : undefined;
  // Besides what is asked for, nothing is packed that the run did not pack.
  const { trainLimit, testLimit } = own
    ? storedLimits(own.dataset)
    : { trainLimit: { inOrder: 0 }, testLimit: { inOrder: 0 } };
  const loaded = await source.load({
    dataDir: dataDir ?? own?.dataset.dataDir,
    fitting,
    // The images that were held out are known by the run's share and seed.
    validationShare: run?.dataset.validationShare,
    seed: run?.recipe.seed,
    allAsTest: !own && !divided,
    part: split,
    trainedOn: run?.dataset.listed,
    maxBad: maxBad ?? own?.dataset.maxBad,
    ...(split === "train" ? { trainLimit: limit, testLimit } : { trainLimit, testLimit: limit }),
    onPacking,
    onMessage,
    signal,
  });
  const note = resizeNote(fitting, loaded.imageSize);
  if (note !== undefined) onMessage?.(`${loaded.source}: ${note}`);
  const doubt = doubtOf(loaded, own, run);
  if (doubt !== undefined) onMessage?.(`${loaded.source}: ${doubt}`);
  return loaded;
}

/** True if a path leads to the folder of the run's images, through any links. */
async function isFolderOf(run: RunConfig, path: string): Promise<boolean> {
  const real = (folder: string) => realpath(folder).catch(() => undefined);
  const [given, own] = await Promise.all([real(path), real(run.dataset.source)]);
  return given !== undefined && given === own;
}

/** Message for people about images that may have been trained on; undefined if there is no such doubt. */
function doubtOf({ listed }: Dataset, own: RunConfig | undefined, run: RunConfig | undefined): string | undefined {
  if (listed === undefined) return undefined;
  if (!run) {
    return (
      "nothing beside the weights says which pictures they were trained on; unless folders say which are for testing, " +
      "some of these may be among them"
    );
  }
  const isAsTrained = listed === run.dataset.listed;
  if (own && run.dataset.listed !== undefined && !isAsTrained) {
    return (
      "not the picture files that the run was started with; unless folders say which are for testing, " +
      "some of these may have been trained on"
    );
  }
  return !own && isAsTrained
    ? "a copy of what the run was trained on, by the names of all files: divided as there"
    : undefined;
}

function relabelled(split: Split, dataset: Dataset, { classNames, network }: Model): Split {
  const known = classNames.map((name) => name.normalize("NFC"));
  const labels = Int32Array.from(dataset.classNames, (name) => known.indexOf(name.normalize("NFC")));
  if (labels.every((label, i) => label === i)) return split;
  const unknown = dataset.classNames.filter((_, i) => labels[i] === -1);
  if (unknown.length === 0) return { ...split, label: (index) => labels[split.label(index)] as number };
  const list = (names: readonly string[]) =>
    names.slice(0, 5).map(visibleName).join(", ") + (names.length > 5 ? ", …" : "");
  throw new ConfigError(
    `${dataset.name}: expected the classes of ${network.name}'s weights (${list(classNames)}), got ${list(unknown)} besides${didYouMean(unknown[0] as string, classNames)}`,
  );
}
