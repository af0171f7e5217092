/** Check of a recipe's loss settings against the labels of a data set, and the loss that they lead to. */
import { countsByLabel, type Dataset, type Split } from "../../dataset/dataset.ts";
import type { BinaryCrossEntropy } from "../../engine/engine.ts";
import { ConfigError } from "../../errors.ts";
import type { HeadName } from "../../network/head.ts";
import type { Recipe } from "../recipe.ts";
import { checkClassWeights } from "./classWeights.ts";
import { positiveWeightsOf } from "./positiveWeights.ts";

/** Settings that apply to one kind of labels only, each with its default, and the remedy. */
const forClasses = [
  ["classWeights", "none", "use --positive-weights"],
  ["sampler", "shuffle", "remove it"],
] as const;
const forLabelSets = [
  ["positiveWeights", "none", "use --class-weights"],
  ["thresholds", "fixed", "remove it"],
] as const;

/**
 * Throws ConfigError for settings that do not apply to the labels of a data set, and for weights of unknown classes.
 */
export function checkLabelSettings(recipe: Recipe, { name, classNames, train }: Dataset): void {
  const refused = train.labelSets ? forClasses : forLabelSets;
  const has = train.labelSets ? "several labels per image" : "one class per image";
  for (const [key, without, remedy] of refused) {
    const value = recipe[key];
    if (value === undefined || value === without) continue;
    throw new ConfigError(`${key}: does not apply to ${name}, which has ${has}; ${remedy}`);
  }
  if (!train.labelSets) {
    checkClassWeights(recipe.classWeights, classNames);
    return;
  }
  if (classNames.length < 2) throw new ConfigError(`${name}: expected at least 2 labels, got ${classNames.length}`);
  positiveWeightsOf(recipe.positiveWeights ?? "none", classNames, train);
}

/** Head of a network trained on a split; undefined for softmax. */
export function trainedHead({ labelSets }: Pick<Split, "labelSets">): HeadName | undefined {
  return labelSets ? "sigmoid" : undefined;
}

/** Loss of training on a split; undefined for softmax with cross-entropy. */
export function trainingLoss(
  { positiveWeights = "none" }: Pick<Recipe, "positiveWeights">,
  classNames: readonly string[],
  train: Split,
): BinaryCrossEntropy | undefined {
  return train.labelSets && { positiveWeights: positiveWeightsOf(positiveWeights, classNames, train) };
}

/**
 * Loss of a network that ignores its image: ln K for K classes. For label sets, the mean over the labels of the smallest loss of a constant probability;
 * with the positive weight w and the frequency f, that is w · f / (w · f + 1 − f).
 */
export function guessingLoss(
  recipe: Pick<Recipe, "positiveWeights">,
  classNames: readonly string[],
  train: Split,
): number {
  const loss = trainingLoss(recipe, classNames, train);
  if (!loss) return Math.log(classNames.length);
  const counts = countsByLabel(train, classNames.length);
  const terms = counts.map((count, c) => {
    const [present, absent] = [(loss.positiveWeights[c] as number) * count, train.length - count];
    const informationOf = (part: number) => (part > 0 ? -part * Math.log(part / (present + absent)) : 0);
    return (informationOf(present) + informationOf(absent)) / train.length;
  });
  return terms.reduce((sum, term) => sum + term, 0) / terms.length;
}
