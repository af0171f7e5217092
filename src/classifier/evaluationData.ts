/** What a trained network is evaluated on. */
import { dirname } from "node:path";
import type { Model } from "../checkpoint/metadata.ts";
import { type Dataset, limitSplit, type Split } from "../dataset/dataset.ts";
import { findDataset } from "../dataset/datasets.ts";
import { ConfigError } from "../errors.ts";
import { readRunConfig } from "./runSetup.ts";
import type { SplitName } from "./splitNames.ts";

/** On what a trained network is measured. */
export interface EvaluationDataOptions {
  /** A name or a folder of pictures. Default: the data set that the run was trained on. */
  readonly dataset?: string;
  readonly dataDir?: string;
  /** Default `test`: where a folder has none, what was held out of its training; of another folder without parts, all. */
  readonly split?: SplitName;
  /** The first so many images only; of a folder, some of each class. */
  readonly limit?: number;
  /** Share of the pictures that may be damaged. Default: the run's, if it was trained on them; else 0.01. */
  readonly maxBad?: number;
  readonly onPacking?: (images: number, of: number) => void;
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** Pictures with the model's own labels. */
export interface EvaluationData {
  readonly split: Split;
  close(): void;
}

/**
 * Loads the pictures to evaluate a model on, from a run directory or of a weights file. Classes are matched by name.
 *
 * Throws ConfigError if the data set is not known, has no such part, or has a class that the model lacks.
 */
export async function loadEvaluationData(
  path: string,
  file: string,
  model: Model,
  options: EvaluationDataOptions,
): Promise<EvaluationData> {
  const { split: part = "test", limit } = options;
  const dataset = await openDataset(path, file, model, options);
  try {
    const split = dataset[part];
    if (!split || split.length === 0) {
      const what = part === "train" ? "training" : part;
      throw new ConfigError(`${dataset.name}: expected ${what} pictures, but it has none; choose another --split`);
    }
    // Not a member of the data set is kept but this: what else is in memory can go.
    const { close = () => {} } = dataset;
    return { split: relabelled(limitSplit(split, limit), dataset, model), close };
  } catch (error) {
    dataset.close?.();
    throw error;
  }
}

async function openDataset(
  path: string,
  file: string,
  { preprocessing: fitting }: Model,
  { dataset, split, limit, maxBad, dataDir, onPacking, onMessage, signal }: EvaluationDataOptions,
): Promise<Dataset> {
  const run = await readRunConfig(path === file ? dirname(file) : path);
  const name = dataset ?? run?.dataset.name;
  if (name === undefined) {
    throw new ConfigError(`${path}: no config.json beside it says which data set it was trained on; give one`);
  }
  const source = await findDataset(name);
  const own = source.name === run?.dataset.name ? run : undefined;
  // Besides what is asked for, nothing is packed that the run did not pack.
  const { validationShare, trainLimit, testLimit } = own?.dataset ?? { trainLimit: 0, testLimit: 0 };
  const loaded = await source.load({
    dataDir: dataDir ?? own?.dataset.dataDir,
    fitting,
    // The pictures that were held out are known by the run's share and seed.
    ...(own ? { validationShare, seed: own.recipe.seed } : { allAsTest: true }),
    maxBad: maxBad ?? own?.dataset.maxBad,
    ...(split === "train" ? { trainLimit: limit, testLimit } : { trainLimit, testLimit: limit }),
    onPacking,
    onMessage,
    signal,
  });
  if (own?.dataset.listed !== undefined && own.dataset.listed !== loaded.listed) {
    onMessage?.(
      `${loaded.source}: not the picture files that the run was started with; unless folders say which are for testing, ` +
        "some of these may have been trained on",
    );
  }
  return loaded;
}

function relabelled(split: Split, dataset: Dataset, { classNames, network }: Model): Split {
  const labels = Int32Array.from(dataset.classNames, (name) => classNames.indexOf(name));
  if (labels.every((label, i) => label === i)) return split;
  const unknown = dataset.classNames.filter((_, i) => labels[i] === -1);
  if (unknown.length === 0) return { ...split, label: (index) => labels[split.label(index)] as number };
  const list = (names: readonly string[]) => names.slice(0, 5).join(", ") + (names.length > 5 ? ", …" : "");
  throw new ConfigError(
    `${dataset.name}: expected the classes of ${network.name}'s weights (${list(classNames)}), got ${list(unknown)} besides`,
  );
}
