/** Weights of present labels in the loss of a multi-label network. */
import * as z from "zod/mini";
import { countsByLabel, type Split } from "../../dataset/dataset.ts";
import { ConfigError } from "../../errors.ts";
import { positive } from "../../schema.ts";
import { didYouMean } from "../../suggest.ts";

/**
 * `none`: weight 1. `balanced`: images without the label / images with it, so that both have the same total weight; 1 for a label without images. A number
 * is the weight of every label. An object has weights by label; others have weight 1.
 *
 * Source of `balanced`: the documentation of torch.nn.BCEWithLogitsLoss, `pos_weight`.
 */
export const positiveWeightsSchema = z.union([
  z.enum(["none", "balanced"]),
  positive,
  z.custom<Record<string, number>>(isWeights),
]);

/** True for an object of positive numbers. */
function isWeights(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((weight) => Number.isFinite(weight) && weight > 0)
  );
}

export type PositiveWeights = z.infer<typeof positiveWeightsSchema>;

/** Description and comparison key: the name or number, or the weights as JSON. */
export function describePositiveWeights(weights: PositiveWeights): string {
  return typeof weights === "object" ? JSON.stringify(weights) : String(weights);
}

/** The weights by label. Shapes: [classes]. Throws ConfigError for an unknown label. */
export function positiveWeightsOf(
  weights: PositiveWeights,
  classNames: readonly string[],
  split: Pick<Split, "length" | "label" | "labelSets">,
): readonly number[] {
  if (typeof weights === "object") return givenWeights(weights, classNames);
  if (typeof weights === "number") return classNames.map(() => weights);
  if (weights === "none") return classNames.map(() => 1);
  return countsByLabel(split, classNames.length).map((count) =>
    count > 0 && count < split.length ? (split.length - count) / count : 1,
  );
}

function givenWeights(weights: Readonly<Record<string, number>>, classNames: readonly string[]): readonly number[] {
  const unknown = Object.keys(weights).filter((name) => !classNames.includes(name));
  if (unknown.length > 0) {
    throw new ConfigError(
      `positiveWeights: expected labels (${classNames.join(", ")}), got ${unknown.map((name) => name + didYouMean(name, classNames)).join(", ")}; correct the recipe`,
    );
  }
  // Own properties only: every object inherits a `constructor`.
  return classNames.map((name) => (Object.hasOwn(weights, name) ? (weights[name] as number) : 1));
}
