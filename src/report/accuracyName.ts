/** Names of accuracy: with label sets it is the exact match, at a threshold. */
import { DEFAULT_THRESHOLD, type Thresholds } from "../training/evaluation/multiLabel.ts";
import { formatPercent } from "./numbers.ts";

/** Name of accuracy, for tables and charts. */
export interface AccuracyName {
  /** Without the threshold, for legends. */
  readonly short: string;
  readonly full: string;
}

/** Name of the accuracy in a run's log. Evaluations in training use the default threshold, also if thresholds are fitted. */
export function accuracyNameOf(isMultiLabel: boolean): AccuracyName {
  if (!isMultiLabel) return { short: "accuracy", full: "accuracy" };
  return { short: "exact match", full: `exact match ${atThresholds(DEFAULT_THRESHOLD)}` };
}

/** `at 50.0 %`, or `at fitted thresholds` if each class has its own. */
export function atThresholds(thresholds: Thresholds): string {
  return typeof thresholds === "number" ? `at ${formatPercent(thresholds)}` : "at fitted thresholds";
}
