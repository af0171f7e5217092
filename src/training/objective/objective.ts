/** From a batch to what its loss is measured against, as a recipe says. */

import type { Split } from "../../dataset/dataset.ts";
import type { Batch } from "../../dataset/prepare/batches.ts";
import type { Scores } from "../evaluation/classHead.ts";
import { countCorrect } from "../evaluation/metrics.ts";
import type { Recipe } from "../recipe.ts";
import { weightsOfClasses } from "./classWeights.ts";
import { createMixes, createMixScratch, mixImages } from "./mixup.ts";
import { type MixedLabels, writeTargets } from "./targets.ts";

/** A batch as it is trained on. */
export interface Objective {
  /**
   * Mixes the batch's pictures where they lie, if the recipe does that, and returns its targets, valid until the next batch. What is random in it is a
   * function of the recipe's seed and `counter`, which no two batches of a run share.
   *
   * Shapes: [batchSize, classes]; rows past the batch's count mean nothing. Throws DataError for a label that is no class.
   */
  prepare(batch: Batch, counter: number): Float32Array;
  /**
   * How many answers to the batch prepared last are right. Of mixed pictures, λ for the one class and 1 − λ for the other.
   *
   * Source: the program of Zhang et al. 2018.
   */
  countCorrect(scores: Scores, batch: Batch): number;
}

/** Mixes batches, and says what the second labels are. */
type Mixer = (batch: Batch, counter: number) => MixedLabels | undefined;

/** Makes the objective of a recipe, for batches of up to `batchSize`. Throws ConfigError for weights of classes that are none. */
export function createObjective(
  recipe: Pick<Recipe, "labelSmoothing" | "classWeights" | "mixup" | "seed">,
  batchSize: number,
  split: Pick<Split, "length" | "label">,
  classNames: readonly string[],
): Objective {
  const { labelSmoothing } = recipe;
  const rule = { labelSmoothing, classWeights: weightsOfClasses(recipe.classWeights, classNames, split) };
  const targets = new Float32Array(batchSize * classNames.length);
  const mix = recipe.mixup > 0 ? createMixer(recipe.seed, recipe.mixup, batchSize) : () => undefined;
  let mixed: MixedLabels | undefined;
  return {
    prepare(batch, counter) {
      mixed = mix(batch, counter);
      writeTargets(rule, batch.labels, batch.count, mixed, targets);
      return targets;
    },
    countCorrect(scores, { labels, count }) {
      const first = countCorrect(scores, labels, count);
      if (!mixed) return first;
      return mixed.lambda * first + (1 - mixed.lambda) * countCorrect(scores, mixed.labels, count);
    },
  };
}

function createMixer(seed: number, alpha: number, batchSize: number): Mixer {
  const draw = createMixes(seed, alpha, batchSize);
  const scratch = createMixScratch(batchSize);
  const second = new Int32Array(batchSize);
  return ({ images, labels, count }, counter) => {
    const mix = draw(counter, count);
    mixImages(images, count, images.length / batchSize, mix, scratch);
    for (let row = 0; row < count; row++) second[row] = labels[mix.partners[row] as number] as number;
    return { lambda: mix.lambda, labels: second };
  };
}
