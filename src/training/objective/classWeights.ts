/** Weights of classes in the loss. */

import * as z from "zod/mini";
import type { Split } from "../../dataset/dataset.ts";
import { ConfigError } from "../../errors.ts";
import { didYouMean } from "../../suggest.ts";

/**
 * `none`: every image has weight 1. `balanced`: an image has weight images / (classes · images of its class), so that all classes with images have
 * the same total weight. An object has weights by class name; other classes have weight 1.
 *
 * Source of `balanced`: King and Zeng 2001, “Logistic regression in rare events data”, as in scikit-learn's `class_weight="balanced"`.
 */
export const classWeightsSchema = z.union([z.enum(["none", "balanced"]), z.custom<Record<string, number>>(isWeights)]);

/** True for an object of positive numbers, used as given: zod's record schema would drop a class named `__proto__`. */
function isWeights(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((weight) => Number.isFinite(weight) && weight > 0)
  );
}

export type ClassWeights = z.infer<typeof classWeightsSchema>;

/** Description and comparison key: `balanced`, or the weights as JSON. */
export function describeClassWeights(weights: ClassWeights): string {
  return typeof weights === "string" ? weights : JSON.stringify(weights);
}

/** Throws ConfigError for an unknown class name. */
export function checkClassWeights(weights: ClassWeights, classNames: readonly string[]): void {
  if (typeof weights === "string") return;
  const unknown = Object.keys(weights).filter((name) => !classNames.includes(name));
  if (unknown.length === 0) return;
  throw new ConfigError(
    `classWeights: expected names of classes (${classNames.join(", ")}), got ${unknown.map((name) => name + didYouMean(name, classNames)).join(", ")}; correct the recipe`,
  );
}

/** The weights by label. Shapes: [classes]. Throws ConfigError for an unknown class name. */
export function weightsOfClasses(
  weights: ClassWeights,
  classNames: readonly string[],
  split: Pick<Split, "length" | "label">,
): Float64Array {
  if (weights === "none") return new Float64Array(classNames.length).fill(1);
  if (weights === "balanced") return balancedWeights(split, classNames.length);
  checkClassWeights(weights, classNames);
  // Own properties only: every object inherits a `constructor`.
  return Float64Array.from(classNames, (name) => (Object.hasOwn(weights, name) ? (weights[name] as number) : 1));
}

function balancedWeights(split: Pick<Split, "length" | "label">, classes: number): Float64Array {
  const counts = new Uint32Array(classes);
  for (let i = 0; i < split.length; i++) counts[split.label(i)] = (counts[split.label(i)] as number) + 1;
  const present = counts.filter((count) => count > 0).length;
  return Float64Array.from(counts, (count) => (count > 0 ? split.length / (present * count) : 0));
}
