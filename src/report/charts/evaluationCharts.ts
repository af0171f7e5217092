/** Charts of an evaluation: confusion matrix, precision and recall by class, curves by class, reliability diagram. */

import { printable } from "../../escape.ts";
import { type Evaluation, labelSetFigures } from "../../training/evaluation/metrics.ts";
import { formatCount, formatPercent } from "../numbers.ts";
import type { NamedChart } from "../pages/htmlParts.ts";
import { colours, strongCell } from "../theme.ts";
import { drawCalibration } from "./calibrationChart.ts";
import { axisLabel, axisStyle, chartFont, drawChart, fontSize, percentLabels } from "./chart.ts";
import { drawPrecisionRecall, drawRoc } from "./rankingCharts.ts";

/** The charts of an evaluation; `title` names the network and the data set. */
export async function evaluationCharts(evaluation: Evaluation, title: string): Promise<readonly NamedChart[]> {
  return [
    ...(labelSetFigures(evaluation) ? [] : [await confusionChart(evaluation, title)]),
    {
      name: "classes",
      heading: "Precision and recall",
      description:
        "Precision: the fraction of predictions of a class that are right. Recall: the fraction of a class's images that are found.",
      svg: await drawClasses(evaluation, title),
    },
    ...(await rankingCharts(evaluation, title)),
    {
      name: "calibration",
      heading: "Confidence and accuracy",
      description:
        "On the dashed line the two are equal; below it the network is overconfident. A point's area is its fraction of the images.",
      svg: await drawCalibration(evaluation.calibration, title),
    },
  ];
}

async function confusionChart(evaluation: Evaluation, title: string): Promise<NamedChart> {
  return {
    name: "confusion",
    heading: "Confusion matrix",
    description:
      "One row per true class, one column per predicted class. A stronger colour is a larger fraction of the row.",
    svg: await drawConfusion(evaluation, title),
  };
}

/** Curves of each class against all others; none of an evaluation that did not rank images. */
async function rankingCharts(evaluation: Evaluation, title: string): Promise<readonly NamedChart[]> {
  const figures = evaluation.multiLabel ?? evaluation.ranking;
  if (!figures) return [];
  return [
    {
      name: "precision-recall",
      heading: "Precision-recall curves",
      description:
        "Precision against recall at every threshold, each class against all others. The average precision is the area below a curve.",
      svg: await drawPrecisionRecall(evaluation, figures, title),
    },
    {
      name: "roc",
      heading: "ROC curves",
      description:
        "Recall against the false-positive rate at every threshold, each class against all others. The dashed line is chance.",
      svg: await drawRoc(evaluation, figures, title),
    },
  ];
}

/** Maximum size of the confusion matrix; beyond it, only the most confused classes are drawn. */
const CONFUSION_CLASSES = 30;
/** Width of one letter of a label, in pixels. */
const LETTER = 0.62 * (fontSize - 1);

/**
 * Draws the confusion matrix as SVG: one row per true class, one column per predicted class. A cell shows its fraction of the row, and its
 * count if there is room. Correct predictions are on the diagonal.
 */
export function drawConfusion(
  { confusion, perClass }: Pick<Evaluation, "confusion" | "perClass">,
  title: string,
): Promise<string> {
  const shown = shownClasses(confusion);
  const nameOf = (c: number) => printable(perClass[c]?.className ?? "");
  const names = shown.map((c) => axisLabel(nameOf(c)));
  const labels = Math.ceil(LETTER * Math.max(...names.map(({ length }) => length))) + 12;
  const cell = Math.max(18, Math.min(44, Math.floor(560 / shown.length)));
  const side = cell * shown.length;
  const values = shown.flatMap((c, row) => {
    const images = (confusion[c] ?? []).reduce((sum, count) => sum + count, 0);
    return shown.map((p, column) => {
      const count = confusion[c]?.[p] ?? 0;
      const fraction = images > 0 ? count / images : 0;
      const says = `${nameOf(c)}, predicted ${nameOf(p)}\n${formatCount(count)} of ${formatCount(images)}, ${formatPercent(fraction)}`;
      const label = count > 0 ? String(count) : "";
      return { row, column, count, fraction, label, says, isStrong: fraction > strongCell };
    });
  });
  const rest = confusion.length - shown.length;
  const what = rest > 0 ? ` of the ${shown.length} classes with most mistakes of ${confusion.length}` : "";
  const size = cell < 30 ? 8 : fontSize - 2;
  return drawChart(
    {
      title: `Confusion${what}: ${title}`,
      width: side,
      height: side,
      left: labels + 44,
      // A network of few classes has a narrow plot; leave room for the title.
      right: Math.max(40, 420 - side),
      bottom: 0.87 * labels + 38,
    },
    {
      data: [{ name: "cells", values }, namesData(names)],
      scales: [
        { name: "row", type: "band", range: "height", domain: names.map((_, i) => i) },
        { name: "column", type: "band", range: "width", domain: names.map((_, i) => i) },
      ],
      axes: [
        { ...axisStyle, orient: "left", scale: "row", title: "class", ...labelled, titleX: -labels - 14 },
        {
          ...axisStyle,
          orient: "bottom",
          scale: "column",
          title: "predicted",
          ...labelled,
          labelAngle: -60,
          labelAlign: "right",
          labelBaseline: "middle",
          titleY: 0.87 * labels + 14,
        },
      ],
      marks: [
        {
          type: "rect",
          name: "fractions",
          from: { data: "cells" },
          encode: {
            enter: {
              x: { scale: "column", field: "column" },
              y: { scale: "row", field: "row" },
              width: { scale: "column", band: 1 },
              height: { scale: "row", band: 1 },
              fill: { value: colours.cell },
              fillOpacity: { field: "fraction" },
              stroke: { value: colours.grid },
              description: { field: "says" },
            },
          },
        },
        {
          type: "text",
          name: "counts",
          from: { data: "cells" },
          encode: {
            enter: {
              x: { scale: "column", field: "column", band: 0.5 },
              y: { scale: "row", field: "row", band: 0.5 },
              text: { field: "label" },
              align: { value: "center" },
              baseline: { value: "middle" },
              font: { value: chartFont },
              fontSize: { value: size },
              fill: [{ test: "datum.isStrong", value: colours.onStrongCell }, { value: colours.onPaleCell }],
            },
          },
        },
      ],
    },
  );
}

/** Class names as a data set: in an expression, vega would read a name such as `constructor` as an identifier. */
function namesData(names: readonly string[]) {
  return { name: "names", values: names.map((label) => ({ label })) };
}

/** Axis labels: the class name at each index of the scale. */
const labelled = { encode: { labels: { update: { text: { signal: "data('names')[datum.value].label" } } } } };

/** Classes to draw, in class order. */
function shownClasses(confusion: readonly (readonly number[])[]): readonly number[] {
  const all = confusion.map((_, c) => c);
  if (all.length <= CONFUSION_CLASSES) return all;
  const mistakes = all.map((c) =>
    all.reduce(
      (sum, other) => sum + (other === c ? 0 : (confusion[c]?.[other] ?? 0) + (confusion[other]?.[c] ?? 0)),
      0,
    ),
  );
  return all
    .toSorted((a, b) => (mistakes[b] as number) - (mistakes[a] as number))
    .slice(0, CONFUSION_CLASSES)
    .sort((a, b) => a - b);
}

/** Maximum number of bars; beyond it, only the classes with the lowest recall are drawn. */
const BAR_CLASSES = 40;
const BAR = 22;

/**
 * Draws precision and recall by class as bars, as SVG. A class without images has no recall bar, a class never predicted no precision bar.
 */
export function drawClasses({ perClass }: Pick<Evaluation, "perClass">, title: string): Promise<string> {
  const isAll = perClass.length <= BAR_CLASSES;
  const shown = isAll ? perClass : perClass.toSorted((a, b) => (a.recall ?? 1) - (b.recall ?? 1)).slice(0, BAR_CLASSES);
  const names = shown.map(({ className }) => axisLabel(className));
  const values = shown.flatMap(({ className, precision, recall }, row) =>
    (
      [
        ["recall", recall],
        ["precision", precision],
      ] as const
    ).flatMap(([measure, value]) =>
      value === null
        ? []
        : [{ row, measure, value, says: `${printable(className)}\n${measure} ${formatPercent(value)}` }],
    ),
  );
  const what = isAll ? "Classes" : `${BAR_CLASSES} classes of ${perClass.length} with the lowest recall`;
  return drawChart(
    { title: `${what}: ${title}`, width: 460, height: BAR * shown.length, left: 170, right: 60, bottom: 60, top: 20 },
    {
      data: [{ name: "bars", values }, namesData(names)],
      scales: [
        { name: "row", type: "band", range: "height", domain: names.map((_, i) => i), paddingInner: 0.25 },
        { name: "measure", type: "band", range: [0, 0.75 * BAR], domain: ["recall", "precision"] },
        { name: "value", type: "linear", range: "width", domain: [0, 1] },
        { name: "colour", type: "ordinal", domain: ["recall", "precision"], range: [colours.blue, colours.orange] },
      ],
      axes: [
        { ...axisStyle, orient: "left", scale: "row", ...labelled },
        { ...axisStyle, orient: "bottom", scale: "value", title: "fraction", grid: true, ...percentLabels() },
      ],
      legends: [
        {
          fill: "colour",
          orient: "none",
          direction: "horizontal",
          legendX: 0,
          legendY: -26,
          labelFont: axisStyle.labelFont,
          labelFontSize: axisStyle.labelFontSize,
          labelColor: axisStyle.labelColor,
          symbolType: "square",
        },
      ],
      marks: [
        {
          type: "rect",
          name: "measures",
          from: { data: "bars" },
          encode: {
            enter: {
              x: { scale: "value", value: 0 },
              x2: { scale: "value", field: "value" },
              y: { scale: "row", field: "row", offset: { scale: "measure", field: "measure" } },
              height: { scale: "measure", band: 1 },
              fill: { scale: "colour", field: "measure" },
              description: { field: "says" },
            },
          },
        },
      ],
    },
  );
}
