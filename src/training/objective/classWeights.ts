/** Weights of classes in the loss. */
import * as z from "zod/mini";
import { countsByLabel, type Split } from "../../dataset/dataset.ts";
import { checkNames, namedWeightsSchema, weightsByName } from "./namedWeights.ts";

/**
 * `none`: every image has weight 1. `balanced`: an image has weight images / (classes · images of its class), so that all classes with images have
 * the same total weight. An object has weights by class name; other classes have weight 1.
 *
 * Source of `balanced`: King and Zeng 2001, “Logistic regression in rare events data”, as in scikit-learn's `class_weight="balanced"`.
 */
export const classWeightsSchema = z.union([z.enum(["none", "balanced"]), namedWeightsSchema]);

export type ClassWeights = z.infer<typeof classWeightsSchema>;

const names = { setting: "classWeights", expected: "names of classes" } as const;

/** Throws ConfigError for an unknown class name. */
export function checkClassWeights(weights: ClassWeights, classNames: readonly string[]): void {
  if (typeof weights === "object") checkNames(weights, classNames, names);
}

/** The weights by label. Shapes: [classes]. Throws ConfigError for an unknown class name. */
export function weightsOfClasses(
  weights: ClassWeights,
  classNames: readonly string[],
  split: Pick<Split, "length" | "label">,
): readonly number[] {
  if (typeof weights === "object") return weightsByName(weights, classNames, names);
  return weights === "none" ? classNames.map(() => 1) : balancedWeights(split, classNames.length);
}

function balancedWeights(split: Pick<Split, "length" | "label">, classes: number): readonly number[] {
  const counts = countsByLabel(split, classes);
  const present = counts.filter((count) => count > 0).length;
  return counts.map((count) => (count > 0 ? split.length / (present * count) : 0));
}
