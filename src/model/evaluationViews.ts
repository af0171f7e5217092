/** Views of an evaluation: the windows of each image, repeated for each random sample. */
import { centreView, type View, viewsOf } from "../image/prepare/views.ts";
import { type CompiledClassifier, requireSamples } from "./predictRows.ts";

/** Predictions that an evaluation averages for each image. */
export interface AveragingOptions {
  /**
   * Averages ten views of each image: the four corners and the centre of the area that its fit keeps, and their reflections. Throws ConfigError if
   * that area is no larger than the input. Source: Krizhevsky et al. 2012, §4.1.
   */
  readonly tenCrop?: boolean;
  /** Averages each image and its horizontal reflection; `tenCrop` contains it. Source: Simonyan and Zisserman 2015, §3.2. */
  readonly flip?: boolean;
  /** For a network whose dropout is active at evaluation: number of stochastic predictions to average for each image and view. Default 1. */
  readonly samples?: number;
}

/**
 * Views whose probabilities are averaged; undefined for the fit's single view. If dropout stays active, every sample computes all views with masks of
 * its own, and the first sample is that of an evaluation without `samples`.
 *
 * Throws ConfigError for ten views of a fit that has none, and for an invalid number of samples.
 */
export function evaluationViews(
  { model, isRandom }: Pick<CompiledClassifier, "model" | "isRandom">,
  { samples = 1, ...options }: AveragingOptions,
): readonly View[] | undefined {
  requireSamples(samples);
  const views = viewsOf(model.preprocessing, options);
  if (!isRandom || samples === 1) return views;
  return Array.from({ length: samples }, () => views ?? [centreView]).flat();
}
