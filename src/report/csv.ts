/** Predictions as comma-separated values. Source: RFC 4180. */
import type { Prediction } from "../training/evaluation/metrics.ts";

/** The first line. `file` is empty where images have none of their own. */
export const predictionHeadings = ["index", "file", "class", "predicted", "probability", "class_probability"] as const;

export function predictionRow(prediction: Prediction): readonly string[] {
  const { index, file = "", className, predicted, probability, classProbability } = prediction;
  return [String(index), file, className, predicted, String(probability), String(classProbability)];
}

/** One line with its end: a field with a comma, a quote or a line break is quoted, quotes in it are doubled. */
export function csvLine(fields: readonly string[]): string {
  return `${fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(",")}\r\n`;
}
