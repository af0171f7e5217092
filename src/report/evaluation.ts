import { formatCount, formatLoss, formatPercent } from "./numbers.ts";
import { type BarOptions, type Column, formatBar, formatTable } from "./terminal.ts";

/** How well a network does on a set of images. Accuracies are fractions. */
export interface EvaluationReport {
  /** Mean cross-entropy an image, in nats. */
  readonly loss: number;
  readonly images: number;
  readonly top1Accuracy: number;
  readonly topK: { readonly k: number; readonly accuracy: number };
  readonly perClass: readonly ClassAccuracy[];
}

export interface ClassAccuracy {
  readonly className: string;
  readonly images: number;
  /** Images of this class whose most probable class is it. */
  readonly correct: number;
}

/** The fraction of a class that is recognised; undefined for a class without images. */
export function accuracyOf({ images, correct }: ClassAccuracy): number | undefined {
  return images > 0 ? correct / images : undefined;
}

/** `top-5 accuracy`, or `top-3 accuracy (all 3 classes)` where k is all there are and the figure says nothing. */
export function topKName({ topK, perClass }: EvaluationReport): string {
  return `top-${topK.k} accuracy${topK.k >= perClass.length ? ` (all ${perClass.length} classes)` : ""}`;
}

const barCells = 20;

/** The figures of an evaluation and a line for each class. */
export function formatEvaluation(report: EvaluationReport, options: BarOptions): string {
  const columns: readonly Column[] = [
    { heading: "Class", align: "left", shrinks: true },
    { heading: "Images", align: "right" },
    { heading: "Correct", align: "right" },
    { heading: "Accuracy", align: "right" },
    { heading: "", align: "left" },
  ];
  const rows = report.perClass.map((entry) => {
    const accuracy = accuracyOf(entry);
    const cells =
      accuracy === undefined ? ["–", ""] : [formatPercent(accuracy), formatBar(accuracy, barCells, options)];
    return [entry.className, formatCount(entry.images), formatCount(entry.correct), ...cells];
  });
  return `${formatFigures(report)}\n\n${formatTable(columns, rows)}`;
}

function formatFigures(report: EvaluationReport): string {
  const columns: readonly Column[] = [
    { heading: "", align: "left" },
    { heading: "", align: "right" },
  ];
  return formatTable(columns, [
    ["images", formatCount(report.images)],
    ["loss", formatLoss(report.loss)],
    ["top-1 accuracy", formatPercent(report.top1Accuracy)],
    [topKName(report), formatPercent(report.topK.accuracy)],
  ]);
}
