/** Views of an evaluation: the windows of each image, repeated for each random sample. */
import { centreView, tenCropViews, type View } from "../image/prepare/views.ts";
import { type CompiledClassifier, requireSamples } from "./predictRows.ts";
import type { EvaluateSplitOptions } from "./turns.ts";

/**
 * Views whose probabilities are averaged; undefined for the fit's single view. If dropout stays active, every sample computes all views with masks of
 * its own, and the first sample is that of an evaluation without `samples`.
 *
 * Throws ConfigError for ten views of a fit that has none, and for an invalid number of samples.
 */
export function evaluationViews(
  { model, isRandom }: Pick<CompiledClassifier, "model" | "isRandom">,
  { tenCrop, samples = 1 }: Pick<EvaluateSplitOptions, "tenCrop" | "samples">,
): readonly View[] | undefined {
  requireSamples(samples);
  const views = tenCrop ? tenCropViews(model.preprocessing) : undefined;
  if (!isRandom || samples === 1) return views;
  return Array.from({ length: samples }, () => views ?? [centreView]).flat();
}
