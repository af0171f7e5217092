/** Text output of `evaluate`. */

import { printable } from "../../escape.ts";
import { frequentConfusions } from "../../training/evaluation/confusion.ts";
import { accuracyOf, type Evaluation, labelSetFigures } from "../../training/evaluation/metrics.ts";
import { type MultiLabelFigures, thresholdOf } from "../../training/evaluation/multiLabel.ts";
import { atThresholds } from "../accuracyName.ts";
import { formatCount, formatLoss, formatPercent } from "../numbers.ts";
import { truncateStart } from "../text.ts";
import { type BarOptions, type Column, formatBar, formatTable } from "./terminal.ts";

/** Quality of a network on a set of images. Accuracies are fractions. */
export interface EvaluationReport {
  /** Mean cross-entropy per image, in nats. */
  readonly loss: number;
  readonly images: number;
  readonly top1Accuracy: number;
  readonly topK: { readonly k: number; readonly accuracy: number };
  readonly perClass: readonly ClassAccuracy[];
  /** Empty if images may have several labels or none. */
  readonly confusion?: readonly (readonly number[])[];
  readonly multiLabel?: MultiLabelFigures;
}

export interface ClassAccuracy {
  readonly className: string;
  readonly images: number;
  /** Images of this class predicted as this class. */
  readonly correct: number;
  readonly precision?: number | null;
  readonly recall?: number | null;
  readonly f1?: number | null;
  readonly averagePrecision?: number | null;
}

/** Recall of a class; undefined for a class without images. */
export function recallOf({ images, correct }: ClassAccuracy): number | undefined {
  return images > 0 ? correct / images : undefined;
}

/** `top-5 accuracy`, or `top-3 accuracy (all 3 classes)` if k covers all classes and the figure is trivially 100 %. */
export function topKName({ topK, perClass }: EvaluationReport): string {
  return `top-${topK.k} accuracy${topK.k >= perClass.length ? ` (all ${perClass.length} classes)` : ""}`;
}

/** Text for an image without labels, or without predicted ones. */
export const noLabel = "(none)";

const barCells = 16;
const LISTED = 10;

/** Formats the figures of an evaluation, one line per class, and the worst confusions. */
export function formatEvaluation(report: Evaluation, options: BarOptions): string {
  const parts = [
    formatFigures(report),
    formatClasses(report, options),
    formatConfusions(report),
    formatMistakes(report),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

function formatClasses({ perClass, multiLabel }: Evaluation, options: BarOptions): string {
  const isFitted = typeof (multiLabel?.threshold ?? 0) !== "number";
  const columns: readonly Column[] = [
    { heading: "Class", align: "left", shrinks: true },
    { heading: "Images", align: "right" },
    { heading: "Correct", align: "right" },
    { heading: "Precision", align: "right" },
    { heading: "Recall", align: "right" },
    ...(multiLabel ? [{ heading: "F1", align: "right" } as const, { heading: "AP", align: "right" } as const] : []),
    ...(isFitted ? [{ heading: "Threshold", align: "right" } as const] : []),
    ...(isFitted ? [] : [{ heading: "", align: "left" } as const]),
  ];
  const rows = perClass.map(
    ({ className, images, correct, precision, recall, f1 = null, averagePrecision = null }, c) => [
      className,
      formatCount(images),
      formatCount(correct),
      percentOrNone(precision),
      percentOrNone(recall),
      ...(multiLabel ? [percentOrNone(f1), percentOrNone(averagePrecision)] : []),
      ...(multiLabel && isFitted ? [formatPercent(thresholdOf(multiLabel.threshold, c))] : []),
      // Thresholds leave no room for bars in 80 columns.
      ...(isFitted ? [] : [recall === null ? "" : formatBar(recall, barCells, options)]),
    ],
  );
  return formatTable(columns, rows);
}

function percentOrNone(fraction: number | null): string {
  return fraction === null ? "–" : formatPercent(fraction);
}

function formatConfusions(report: Evaluation): string {
  const confusions = frequentConfusions(report, LISTED);
  if (confusions.length === 0) return "";
  const columns: readonly Column[] = [
    { heading: "Class", align: "left", shrinks: true },
    { heading: "Predicted as", align: "left", shrinks: true },
    { heading: "Images", align: "right" },
  ];
  const rows = confusions.map(({ className, predicted, images }) => [className, predicted, formatCount(images)]);
  return `Most frequent confusions\n\n${formatTable(columns, rows)}`;
}

/** Shortens a file path from the left, because its end is more specific. */
const fileWidth = 28;

function formatMistakes({ worstMistakes }: Evaluation): string {
  if (worstMistakes.length === 0) return "";
  const columns: readonly Column[] = [
    { heading: "Image", align: "left" },
    { heading: "Class", align: "left", shrinks: true },
    { heading: "Predicted as", align: "left", shrinks: true },
    { heading: "with", align: "right" },
    { heading: "Loss", align: "right" },
  ];
  const rows = worstMistakes.map(({ index, file, className, predicted, probability, loss }) => [
    truncateStart(printable(file ?? String(index)), fileWidth),
    className || noLabel,
    predicted || noLabel,
    formatPercent(probability),
    formatLoss(loss),
  ]);
  return `Worst mistakes\n\n${formatTable(columns, rows)}`;
}

/** Top-1 accuracy of each run of an ensemble, and of the ensemble; with label sets, exact match. */
export function formatRuns(
  runs: readonly { readonly file: string; readonly network: string; readonly top1Accuracy: number }[],
  together: Pick<Evaluation, "confusion" | "multiLabel" | "top1Accuracy">,
): string {
  const columns: readonly Column[] = [
    { heading: "Run", align: "left", shrinks: true },
    { heading: "Network", align: "left", shrinks: true },
    { heading: labelSetFigures(together) ? "Exact match" : "Top-1", align: "right" },
  ];
  const rows = runs.map(({ file, network, top1Accuracy }) => [file, network, formatPercent(top1Accuracy)]);
  return formatTable(columns, rows, { footer: [["together", "", formatPercent(accuracyOf(together))]] });
}

function formatFigures(report: Evaluation): string {
  const columns: readonly Column[] = [
    { heading: "", align: "left" },
    { heading: "", align: "right" },
  ];
  const ofSets = labelSetFigures(report);
  if (ofSets) {
    return formatTable(columns, [
      ["images", formatCount(report.images)],
      ["loss", formatLoss(report.loss)],
      ...formatMultiLabel(ofSets),
    ]);
  }
  return formatTable(columns, [
    ["images", formatCount(report.images)],
    ["loss", formatLoss(report.loss)],
    ["top-1 accuracy", formatPercent(report.top1Accuracy)],
    ["top-1 error", formatPercent(1 - report.top1Accuracy)],
    [topKName(report), formatPercent(report.topK.accuracy)],
    [`top-${report.topK.k} error`, formatPercent(1 - report.topK.accuracy)],
    ...(report.multiLabel ? formatMultiLabel(report.multiLabel) : []),
    ["mean confidence", formatPercent(report.calibration.confidence)],
    ["calibration error", formatPercent(report.calibration.error)],
  ]);
}

/** Names and values of multi-label figures. */
export function formatMultiLabel(figures: MultiLabelFigures): readonly (readonly [name: string, value: string])[] {
  const { threshold, exactMatch, hammingLoss, macroF1, microF1, meanAveragePrecision } = figures;
  const at = atThresholds(threshold);
  return [
    [`exact match ${at}`, formatPercent(exactMatch)],
    [`Hamming loss ${at}`, formatPercent(hammingLoss)],
    [`mean F1 ${at}`, formatPercent(macroF1)],
    [`micro F1 ${at}`, formatPercent(microF1)],
    ["mean average precision", percentOrNone(meanAveragePrecision)],
  ];
}
