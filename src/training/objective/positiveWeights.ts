/** Weights of present labels in the loss of a multi-label network. */
import * as z from "zod/mini";
import { countsByLabel, type Split } from "../../dataset/dataset.ts";
import { positive } from "../../schema.ts";
import { namedWeightsSchema, weightsByName } from "./namedWeights.ts";

/**
 * `none`: weight 1. `balanced`: images without the label / images with it, so that both have the same total weight; 1 for a label without images. A number
 * is the weight of every label. An object has weights by label; others have weight 1.
 *
 * Source of `balanced`: the documentation of torch.nn.BCEWithLogitsLoss, `pos_weight`.
 */
export const positiveWeightsSchema = z.union([z.enum(["none", "balanced"]), positive, namedWeightsSchema]);

export type PositiveWeights = z.infer<typeof positiveWeightsSchema>;

/** The weights by label. Shapes: [classes]. Throws ConfigError for an unknown label. */
export function positiveWeightsOf(
  weights: PositiveWeights,
  classNames: readonly string[],
  split: Pick<Split, "length" | "label" | "labelSets">,
): readonly number[] {
  if (typeof weights === "object") {
    return weightsByName(weights, classNames, { setting: "positiveWeights", expected: "labels" });
  }
  if (weights !== "balanced") return classNames.map(() => (weights === "none" ? 1 : weights));
  return countsByLabel(split, classNames.length).map((count) =>
    count > 0 && count < split.length ? (split.length - count) / count : 1,
  );
}
