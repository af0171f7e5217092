/** Text output of `evaluate`. */

import { printable } from "../../escape.ts";
import { type ClassAverages, frequentConfusions } from "../../training/evaluation/confusion.ts";
import type { Interval } from "../../training/evaluation/intervals.ts";
import type { RankingFigures } from "../../training/evaluation/labelRanking.ts";
import { accuracyOf, type Evaluation, type LabelErrors, labelSetFigures } from "../../training/evaluation/metrics.ts";
import { DEFAULT_THRESHOLD, type MultiLabelFigures, thresholdOf } from "../../training/evaluation/multiLabel.ts";
import { atThresholds } from "../accuracyName.ts";
import { formatCount, formatError, formatLoss, formatPercent, formatPoints } from "../numbers.ts";
import { truncateStart } from "../text.ts";
import { type Column, formatTable } from "./terminal.ts";

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
  readonly accuracyInterval?: Interval;
  readonly averages?: ClassAverages;
  readonly ranking?: Pick<RankingFigures, "meanAveragePrecision" | "meanRocAuc">;
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
  readonly rocAuc?: number | null;
  readonly precisionInterval?: Interval | null;
  readonly recallInterval?: Interval | null;
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

const LISTED = 10;

/** Formats the figures of an evaluation, one line per class, and the worst confusions. */
export function formatEvaluation(report: Evaluation): string {
  const parts = [
    formatFigures(report),
    formatClasses(report),
    formatConfusions(report),
    formatMistakes(report),
    formatSuspects(report),
  ];
  return parts.filter((part) => part !== "").join("\n\n");
}

/** A figure of each class: its heading, and its text. */
type ClassColumn = readonly [heading: string, textOf: (figures: ClassAccuracy, c: number) => string];

/** Columns of a table of classes, from left to right. In 80 columns there is no room for both the area under the ROC curve and thresholds. */
function classColumns({
  perClass,
  multiLabel,
}: Pick<EvaluationReport, "perClass" | "multiLabel">): readonly ClassColumn[] {
  const threshold = multiLabel?.threshold ?? DEFAULT_THRESHOLD;
  const isFitted = typeof threshold !== "number";
  const isRanked = perClass.some(({ averagePrecision }) => averagePrecision !== undefined);
  const optional = (isShown: boolean, ...column: ClassColumn): readonly ClassColumn[] => (isShown ? [column] : []);
  return [
    ["Images", ({ images }) => formatCount(images)],
    ["Precision", ({ precision }) => percentOrNone(precision)],
    ["Recall", ({ recall }) => percentOrNone(recall)],
    ["95 %", ({ recallInterval }) => formatInterval(recallInterval, 0)],
    ["F1", ({ f1 }) => percentOrNone(f1)],
    ...optional(isRanked, "AP", ({ averagePrecision }) => percentOrNone(averagePrecision)),
    ...optional(isRanked && !isFitted, "AUC", ({ rocAuc }) => percentOrNone(rocAuc)),
    ...optional(isFitted, "Threshold", (_, c) => formatPercent(thresholdOf(threshold, c))),
  ];
}

function formatClasses(report: Evaluation): string {
  const columns = classColumns(report);
  const rows = report.perClass.map((own, c) => [own.className, ...columns.map(([, textOf]) => textOf(own, c))]);
  return formatTable(
    [
      { heading: "Class", align: "left", shrinks: true },
      ...columns.map(([heading]): Column => ({ heading, align: "right" })),
    ],
    rows,
  );
}

function percentOrNone(fraction: number | null | undefined): string {
  return typeof fraction === "number" ? formatPercent(fraction) : "–";
}

/** `87.1–88.4 %`; `–` if there is none. */
export function formatInterval(interval: Interval | null | undefined, decimals = 1): string {
  if (!interval) return "–";
  const [low, high] = interval.map((end) => (100 * end).toFixed(decimals));
  return `${low}–${high} %`;
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

function formatSuspects({ labelErrors, images }: Evaluation): string {
  if (!labelErrors || labelErrors.count === 0) return "";
  const { count, suspects, estimatedErrors } = labelErrors;
  const columns: readonly Column[] = [
    { heading: "Image", align: "left" },
    { heading: "Label", align: "left", shrinks: true },
    { heading: "Suggested", align: "left", shrinks: true },
    { heading: "with", align: "right" },
    { heading: "Margin", align: "right" },
  ];
  const rows = suspects
    .slice(0, LISTED)
    .map(({ index, file, className, suggested, probability, margin }) => [
      truncateStart(printable(file ?? String(index)), fileWidth),
      ...[className, suggested, formatPercent(probability), formatPoints(margin)],
    ]);
  return `Suspected label errors: ${describeSuspects({ count, estimatedErrors }, images)}\n\n${formatTable(columns, rows)}`;
}

/** `12 of 500 images; estimated fraction of wrong labels 3.1 %`. */
export function describeSuspects(
  { count, estimatedErrors }: Pick<LabelErrors, "count" | "estimatedErrors">,
  images: number,
): string {
  return `${formatCount(count)} of ${formatCount(images)} images; estimated fraction of wrong labels ${formatPercent(estimatedErrors)}`;
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
      ["exact match, 95 % interval", formatInterval(report.accuracyInterval)],
    ]);
  }
  return formatTable(columns, [
    ["images", formatCount(report.images)],
    ["loss", formatLoss(report.loss)],
    ["top-1 accuracy", formatPercent(report.top1Accuracy)],
    ["95 % interval", formatInterval(report.accuracyInterval)],
    ["top-1 error", formatError(report.top1Accuracy)],
    [topKName(report), formatPercent(report.topK.accuracy)],
    [`top-${report.topK.k} error`, formatError(report.topK.accuracy)],
    ...(report.multiLabel ? formatMultiLabel(report.multiLabel) : formatAverages(report)),
    ["mean confidence", formatPercent(report.calibration.confidence)],
    ["calibration error", formatPercent(report.calibration.error)],
    ...formatRejection(report),
  ]);
}

/** Names and values of the images at or above the threshold; none without a threshold. */
function formatRejection({ rejection }: Evaluation): readonly (readonly [name: string, value: string])[] {
  if (!rejection) return [];
  const { threshold, coverage, accuracy } = rejection;
  const at =
    new Set([threshold].flat()).size === 1
      ? `at ${formatPercent([threshold].flat()[0] as number)}`
      : atThresholds(threshold);
  return [
    [`coverage ${at}`, formatPercent(coverage)],
    [`accuracy ${at}`, percentOrNone(accuracy)],
  ];
}

/** Temperature and threshold that were fitted, in words. */
export interface ShownFit {
  readonly temperature: number;
  readonly threshold?: number;
  readonly images: number;
  readonly part: string;
  readonly loss: { readonly before: number; readonly after: number };
}

/** `temperature 1.432 …`, for people. */
export function formatFitted({ temperature, threshold, images, part, loss }: ShownFit): string {
  const rejects = threshold === undefined ? "no threshold" : `threshold ${formatPercent(threshold)}`;
  const losses = `loss ${formatLoss(loss.before)} at temperature 1, ${formatLoss(loss.after)} at this one`;
  return `temperature ${temperature.toPrecision(4)}, ${rejects}; fitted on ${formatCount(images)} ${part} (${losses}), stored with the weights`;
}

/** Names and values of averages over the classes; none if they were not computed. */
export function formatAverages({
  averages,
  ranking,
}: Pick<EvaluationReport, "averages" | "ranking">): readonly (readonly [name: string, value: string])[] {
  return [
    ...(averages
      ? ([
          ["balanced accuracy", percentOrNone(averages.balancedAccuracy)],
          ["mean F1", formatPercent(averages.macroF1)],
          ["weighted F1", formatPercent(averages.weightedF1)],
        ] as const)
      : []),
    ...(ranking ? formatRanking(ranking) : []),
  ];
}

/** Names and values of mean areas. */
function formatRanking({
  meanAveragePrecision,
  meanRocAuc,
}: Pick<RankingFigures, "meanAveragePrecision" | "meanRocAuc">): readonly (readonly [name: string, value: string])[] {
  return [
    ["mean average precision", percentOrNone(meanAveragePrecision)],
    ["mean ROC AUC", percentOrNone(meanRocAuc)],
  ];
}

/** Names and values of multi-label figures. */
export function formatMultiLabel(figures: MultiLabelFigures): readonly (readonly [name: string, value: string])[] {
  const { threshold, exactMatch, hammingLoss, macroF1, microF1 } = figures;
  const at = atThresholds(threshold);
  return [
    [`exact match ${at}`, formatPercent(exactMatch)],
    [`Hamming loss ${at}`, formatPercent(hammingLoss)],
    [`mean F1 ${at}`, formatPercent(macroF1)],
    [`micro F1 ${at}`, formatPercent(microF1)],
    ...formatRanking(figures),
  ];
}
