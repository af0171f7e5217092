/** Training targets of a batch, according to a recipe. */
import type { Split } from "../../dataset/dataset.ts";
import type { Batch } from "../../dataset/prepare/batches.ts";
import type { Scores } from "../evaluation/classHead.ts";
import { countCorrect } from "../evaluation/metrics.ts";
import { countExact } from "../evaluation/multiLabel.ts";
import type { Recipe } from "../recipe.ts";
import { weightsOfClasses } from "./classWeights.ts";
import type { ImageShape } from "./cutmix.ts";
import { createMixer } from "./mixing.ts";
import { type MixedLabels, writeLabelSetTargets, writeTargets } from "./targets.ts";

/** The targets of one batch, and its labels for counting correct predictions. */
export interface BatchTargets {
  /** [batchSize, classes]; rows past the batch's count are undefined. Valid until the next batch is prepared. */
  readonly targets: Float32Array;
  /**
   * Number of correct predictions of the batch; with label sets, of images whose labels are all correct at 50 %. For mixed images, λ for the one class and 1 − λ for the other. Valid until `unread` more batches are
   * prepared.
   *
   * Source: the program of Zhang et al. 2018.
   */
  countCorrect(scores: Scores): number;
}

/** Computes targets batch by batch. */
export interface Objective {
  /**
   * Mixes the batch's images in place if the recipe has mixup or CutMix, and returns its targets. All random choices are a function of the recipe's seed and
   * `counter`, which differs for every batch of a run.
   *
   * Throws DataError for a label out of range.
   */
  prepare(batch: Batch, counter: number): BatchTargets;
}

/** The labels of a batch whose predictions have not been read yet. */
interface LabelMemory {
  readonly labels: Int32Array;
  readonly second: Int32Array;
  count: number;
  /** Fraction of the first label; 1 if images are not mixed. */
  lambda: number;
}

/**
 * Creates the objective of a recipe, for batches of up to `batchSize` images. `unread` is the maximum number of batches prepared before the first one's
 * predictions are counted. Throws ConfigError for weights of unknown classes.
 */
export function createObjective(
  recipe: Pick<Recipe, "labelSmoothing" | "classWeights" | "mixup" | "cutmix" | "seed">,
  { batchSize, imageShape }: { readonly batchSize: number; readonly imageShape: ImageShape },
  split: Pick<Split, "length" | "label" | "labelSets">,
  classNames: readonly string[],
  unread = 1,
): Objective {
  const { write, countCorrect } = labelRule(recipe, classNames, split);
  const targets = new Float32Array(batchSize * classNames.length);
  const mixer = createMixer(recipe, batchSize, imageShape);
  /** Mixes a batch and returns λ; writes the second labels to `second`. */
  const mix = ({ images, labels, count }: Batch, counter: number, second: Int32Array): number => {
    const mixed = mixer(images, count, counter);
    if (!mixed) return 1;
    for (let row = 0; row < count; row++) second[row] = labels[mixed.partners[row] as number] as number;
    return mixed.lambda;
  };
  const memories = Array.from({ length: unread }, () => labelMemory(batchSize, targets, countCorrect));
  let prepared = 0;
  return {
    prepare(batch, counter) {
      const { memory, batchTargets } = memories[prepared++ % unread] as (typeof memories)[number];
      memory.labels.set(batch.labels);
      memory.count = batch.count;
      memory.lambda = mix(batch, counter, memory.second);
      write(batch.labels, batch.count, mixedLabels(memory), targets);
      return batchTargets;
    },
  };
}

/** Targets of labels, and the number of correct predictions. */
interface LabelRule {
  write(labels: ArrayLike<number>, count: number, mixed: MixedLabels | undefined, into: Float32Array): void;
  countCorrect(scores: Scores, labels: ArrayLike<number>, count: number): number;
}

function labelRule(
  { labelSmoothing, classWeights }: Pick<Recipe, "labelSmoothing" | "classWeights">,
  classNames: readonly string[],
  split: Pick<Split, "length" | "label" | "labelSets">,
): LabelRule {
  const { labelSets } = split;
  if (labelSets) {
    const rule = { labelSmoothing, labelSets, classes: classNames.length };
    return {
      write: (labels, count, mixed, into) => writeLabelSetTargets(rule, labels, count, mixed, into),
      countCorrect: (scores, labels, count) => countExact(scores, labels, count, labelSets),
    };
  }
  const rule = { labelSmoothing, classWeights: weightsOfClasses(classWeights, classNames, split) };
  return {
    write: (labels, count, mixed, into) => writeTargets(rule, labels, count, mixed, into),
    countCorrect,
  };
}

function labelMemory(batchSize: number, targets: Float32Array, correctOf: LabelRule["countCorrect"]) {
  const [labels, second] = [new Int32Array(batchSize), new Int32Array(batchSize)];
  const memory: LabelMemory = { labels, second, count: 0, lambda: 1 };
  const batchTargets: BatchTargets = {
    targets,
    countCorrect(scores) {
      const { count, lambda } = memory;
      const first = correctOf(scores, labels, count);
      return lambda === 1 ? first : lambda * first + (1 - lambda) * correctOf(scores, second, count);
    },
  };
  return { memory, batchTargets };
}

function mixedLabels({ lambda, second }: LabelMemory): MixedLabels | undefined {
  return lambda === 1 ? undefined : { lambda, labels: second };
}
