/** Images to evaluate a trained network on. */

import { realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { Model } from "../checkpoint/metadata.ts";
import {
  type Dataset,
  type DatasetSource,
  type LayoutOptions,
  pickImages,
  type Split,
  type SplitName,
} from "../dataset/dataset.ts";
import { visibleName } from "../dataset/folder/classNames.ts";
import { classesAt, type LabelSet } from "../dataset/labelSets.ts";
import { requireLimit } from "../dataset/limit.ts";
import { isMemoryName, memorySource } from "../dataset/memorySource.ts";
import { datasetNames } from "../dataset/sources/datasetNames.ts";
import { findDataset, storedDataset } from "../dataset/sources/datasets.ts";
import { stratify } from "../dataset/stratify.ts";
import { ConfigError } from "../errors.ts";
import { isMultiLabel } from "../network/head.ts";
import { classesOf } from "../network/network.ts";
import { type RunConfig, readRunConfig, storedLimits } from "../settings/runConfig.ts";
import { didYouMean } from "../suggest.ts";
import { resizeNote } from "./predictionInput.ts";

/** Table of labels of an evaluation: the run's, if it was trained on these images. */
type TableChoice = Pick<LayoutOptions, (typeof tableKeys)[number]>;

/** Options of a table of labels. */
const tableKeys = [
  "labels",
  "imageColumn",
  "labelColumn",
  "splitColumn",
  "labelSeparator",
  "labelColumns",
  "groupColumn",
] as const;

/** Data set of an evaluation. */
export interface EvaluationDataOptions extends TableChoice {
  /** A name, a folder of images, or a data set object. Default: the data set that the run was trained on. */
  readonly dataset?: string | Dataset;
  readonly dataDir?: string;
  /** Default `test`. In a folder without test/, the images held out of training; in another folder without parts, all images. */
  readonly split?: SplitName;
  /** Maximum number of images, drawn from every class; at least the number of classes. */
  readonly limit?: number;
  /** Maximum fraction of unreadable images. Default: the run's, if it was trained on these images; else 0.01. */
  readonly maxBad?: number;
  /** Splits a folder without parts as for training, if it is not the run's own. Default false: all its images are test images. */
  readonly divided?: boolean;
  /** Leaves out images of classes that the model lacks, and says how many. Default false: such a class is an error. */
  readonly skipUnknownClasses?: boolean;
  /**
   * Images for fitting a temperature, or those that remain for the evaluation: validation and test images. If one set serves as both, two halves of it,
   * each with its fraction of every class. Replaces `split`.
   */
  readonly held?: "fit" | "rest";
  /** True for another program's file: what stands beside it is no run. Default false. */
  readonly isForeign?: boolean;
  /** Called while images are decoded into the cache. */
  readonly onPacking?: (images: number, of: number) => void;
  /** Called with notes and warnings. */
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** Images with the model's own labels. */
export interface EvaluationData {
  /** Name of the data set, or its folder. */
  readonly name: string;
  readonly split: Split;
  /** Part of the data set, in words. */
  readonly part: string;
  close(): void;
}

/**
 * Loads the images to evaluate a model of a run directory or weights file on. Classes are matched by name.
 *
 * Throws ConfigError if the data set is unknown, lacks the part, or has a class that the model lacks, unless such classes
 * are skipped and others are left.
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
    const { split, what } = options.held ? heldSplit(dataset, options.held) : partOf(dataset, part);
    if (!split || split.length === 0) {
      throw new ConfigError(`${dataset.name}: expected ${what} images, found none; choose another --split`);
    }
    // Keeps only this part of the data set, so that the rest can be collected.
    const { close = () => {} } = dataset;
    return { name: dataset.name, part: `${what} images`, split: relabelled(split, dataset, model, options), close };
  } catch (error) {
    dataset.close?.();
    throw error;
  }
}

/** A split, and its name in words. */
interface NamedSplit {
  readonly split: Split | undefined;
  readonly what: string;
}

function partOf(dataset: Dataset, part: SplitName): NamedSplit {
  return { split: dataset[part], what: part === "train" ? "training" : part };
}

/** Images to fit on, or the rest. A data set without test images has its validation images as both, such as a fold of a cross-validation. */
function heldSplit(dataset: Dataset, held: "fit" | "rest"): NamedSplit {
  const { validation, test } = dataset;
  const isBoth = validation === test;
  if (validation && validation.length > 0 && !isBoth) return partOf(dataset, held === "fit" ? "validation" : "test");
  const sets = Array.from({ length: test.length }, (_, index) => classesAt(test, index));
  const half = held === "fit" ? 0 : 1;
  const indices = [...stratify(sets, [0.5, 0.5], 0).entries()].flatMap(([index, own]) => (own === half ? [index] : []));
  const [name, other] = isBoth ? ["validation", "test"] : ["test", "validation"];
  const what = `${name} (${held === "fit" ? `one half; there are no ${other} images` : "the other half"})`;
  return { split: pickImages(test, Uint32Array.from(indices)), what };
}

async function openDataset(
  path: string,
  file: string,
  { preprocessing: fitting }: Model,
  options: EvaluationDataOptions,
): Promise<Dataset> {
  const { dataset, split, limit, maxBad, dataDir, divided, isForeign, onPacking, onMessage, signal } = options;
  const run = isForeign ? undefined : await readRunConfig(path === file ? dirname(file) : path);
  const [asked, given] = typeof dataset === "object" ? [undefined, memorySource(dataset)] : [dataset, undefined];
  const name = given?.name ?? asked ?? run?.dataset.name;
  if (name === undefined) {
    throw new ConfigError(
      `${path}: found no config.json next to it that names its data set; give one with --dataset (export: --calibrate; map: a folder of images)`,
    );
  }
  const isStored = run && (asked === undefined || (await isFolderOf(run, asked)));
  const found = () => (isStored ? storedDataset(run.dataset.name) : findDataset(name, { dataDir, onMessage }));
  const source = given ?? (await found());
  const own = source.name === run?.dataset.name ? run : undefined;
  // Packs only the requested part, and the parts that the run packed.
  const { trainLimit, testLimit } = own
    ? storedLimits(own.dataset)
    : { trainLimit: { inOrder: 0 }, testLimit: { inOrder: 0 } };
  const loaded = await source.load({
    dataDir: dataDir ?? own?.dataset.dataDir,
    fitting,
    validationShare: run?.dataset.validationShare,
    seed: run?.recipe.seed,
    allAsTest: !own && !divided,
    part: split,
    trainedOn: run?.dataset.listed,
    maxBad: maxBad ?? own?.dataset.maxBad,
    // The run's folds, fraction and seed determine the images that were held out.
    ...(own || isFolder(source) ? { folds: run?.dataset.folds, fold: run?.dataset.fold } : {}),
    ...layoutOf(options, own),
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

/** True for a folder or an archive, which may be a copy of the run's. */
function isFolder({ name }: DatasetSource): boolean {
  const named: readonly string[] = datasetNames;
  return !named.includes(name) && !isMemoryName(name);
}

/**
 * Layout of the images: as given, and otherwise that of the run which was trained on them. Columns of 0 and 1 replace the run's column of labels, and
 * vice versa.
 */
function layoutOf(options: EvaluationDataOptions, own: RunConfig | undefined): LayoutOptions {
  const { labelColumn, labelSeparator, labelColumns } = options;
  const replaced: readonly (keyof TableChoice)[] = [
    ...(labelColumns ? (["labelColumn", "labelSeparator"] as const) : []),
    ...(labelColumn !== undefined || labelSeparator !== undefined ? (["labelColumns"] as const) : []),
  ];
  const keptOf = (key: keyof TableChoice) => (replaced.includes(key) ? undefined : own?.dataset[key]);
  const chosen = Object.fromEntries(tableKeys.map((key) => [key, options[key] ?? keptOf(key)]));
  return { ...chosen, classes: own?.dataset.classes, classOrder: own?.dataset.classOrder };
}

/** True if a path leads to the folder of the run's images, through any links. */
async function isFolderOf(run: RunConfig, path: string): Promise<boolean> {
  const real = (folder: string) => realpath(folder).catch(() => undefined);
  const [given, own] = await Promise.all([real(path), real(run.dataset.source)]);
  return given !== undefined && given === own;
}

/** Warning about images that may have been trained on; undefined if none were. */
function doubtOf({ listed }: Dataset, own: RunConfig | undefined, run: RunConfig | undefined): string | undefined {
  if (listed === undefined) return undefined;
  if (!run) {
    return (
      "found no record of the weights' training images; unless the data set has a test folder, " +
      "some of these images may be among them"
    );
  }
  const isAsTrained = listed === run.dataset.listed;
  if (own && run.dataset.listed !== undefined && !isAsTrained) {
    return (
      "the image files differ from those that the run was started with; unless the data set has a test folder, " +
      "the run may have been trained on some of these images"
    );
  }
  return !own && isAsTrained
    ? "a copy of the run's data set, by the names of all files; using the same held-out images"
    : undefined;
}

/** The split with the model's labels. */
function relabelled(
  split: Split,
  dataset: Dataset,
  { classNames, network, head }: Model,
  { skipUnknownClasses = false, onMessage }: EvaluationDataOptions,
): Split {
  const { labelSets } = split;
  if (labelSets && !isMultiLabel(head ?? "softmax", classesOf(network))) {
    throw new ConfigError(
      `${dataset.name}: expected one class per image, as ${network.name} was trained on, got several labels per image; choose another --dataset or --labels`,
    );
  }
  const own = classNames.map((name) => name.normalize("NFC"));
  const labels = Int32Array.from(dataset.classNames, (name) => own.indexOf(name.normalize("NFC")));
  if (labels.every((label, i) => label === i)) return split;
  const unknown = dataset.classNames.filter((_, i) => labels[i] === -1);
  const all = labelSets
    ? { ...split, labelSets: labelSets.map((set) => renumbered(set, labels)) }
    : { ...split, label: (index: number) => labels[split.label(index)] as number };
  if (unknown.length === 0) return all;
  const list = (names: readonly string[]) =>
    names.slice(0, 5).map(visibleName).join(", ") + (names.length > 5 ? ", …" : "");
  const known = Uint32Array.from(Array(split.length).keys()).filter((index) =>
    classesAt(all, index).every((c) => c >= 0),
  );
  if (skipUnknownClasses && known.length > 0) {
    onMessage?.(
      `${dataset.name}: skipped ${split.length - known.length} of ${split.length} images, of classes that the weights lack: ${list(unknown)}`,
    );
    return pickImages(all, known);
  }
  throw new ConfigError(
    `${dataset.name}: expected the classes of ${network.name}'s weights (${list(classNames)}), also got ${list(unknown)}${didYouMean(unknown[0] as string, classNames)}; evaluate leaves out images of other classes with --skip-unknown-classes`,
  );
}

/** A set with the model's labels, ascending. */
function renumbered(set: LabelSet, labels: Int32Array): LabelSet {
  return set.map((label) => labels[label] as number).sort((a, b) => a - b);
}
