/** Predictions as comma-separated values. Source: RFC 4180. */
import { csvField } from "../escape.ts";
import type { Prediction } from "../training/evaluation/metrics.ts";

/** Header line. `file` is empty for images without a file name. */
export const predictionHeadings = ["index", "file", "class", "predicted", "probability", "class_probability"] as const;

export function predictionRow(prediction: Prediction): readonly string[] {
  const { index, file = "", className, predicted, probability, classProbability } = prediction;
  return [String(index), file, className, predicted, String(probability), String(classProbability)];
}

/** Formats one line, with its line end; see `csvField`. */
export function csvLine(fields: readonly string[]): string {
  return `${fields.map(csvField).join(",")}\r\n`;
}
