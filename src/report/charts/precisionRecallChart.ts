/** Precision-recall curves of a multi-label network. */
import type { Mark } from "vega";
import { printable } from "../../escape.ts";
import type { Evaluation } from "../../training/evaluation/metrics.ts";
import type { MultiLabelFigures } from "../../training/evaluation/multiLabel.ts";
import { formatPercent } from "../numbers.ts";
import { colours } from "../theme.ts";
import { axisLabel, axisStyle, chartFont, drawChart, fontSize, percentLabels } from "./chart.ts";
import { textMark } from "./curveMarks.ts";

/** Maximum number of curves; beyond it, only the classes with the lowest average precision are drawn. */
const CURVES = 12;
const LEGEND_ROW = 20;
const SIDE = 400;
const hues = [colours.blue, colours.orange, colours.green, colours.purple, colours.petrol, colours.ochre];
const dashes = [[], [6, 3]];
const legendStyle = {
  font: chartFont,
  fontSize: fontSize - 1,
  fontWeight: "normal",
  fill: colours.ink,
  align: "left",
} as const;

/** Curve of one class with images. */
interface ClassCurve {
  readonly className: string;
  readonly average: number;
  readonly points: MultiLabelFigures["curves"][number];
}

/** Draws precision by recall as SVG, one curve for each class with images, the highest average precision first. */
export function drawPrecisionRecall(
  { perClass }: Pick<Evaluation, "perClass">,
  { curves, meanAveragePrecision }: Pick<MultiLabelFigures, "curves" | "meanAveragePrecision">,
  title: string,
): Promise<string> {
  const known = perClass.flatMap(({ className, averagePrecision }, c): readonly ClassCurve[] =>
    typeof averagePrecision === "number" ? [{ className, average: averagePrecision, points: curves[c] ?? [] }] : [],
  );
  const shown = known.toSorted((a, b) => b.average - a.average).slice(-CURVES);
  const what =
    known.length > shown.length ? `, ${CURVES} labels of ${known.length} with the lowest average precision` : "";
  const mean = meanAveragePrecision === null ? "" : `, mean AP ${formatPercent(meanAveragePrecision)}`;
  const size = { width: SIDE, height: SIDE, left: 80, right: 230, bottom: 60 };
  return drawChart(
    { title: `Precision and recall${what}${mean}: ${title}`, ...size },
    {
      data: shown.map(({ className, points }, i) => ({
        name: `curve-${i}`,
        values: points.map(([recall, precision]) => ({
          recall,
          precision,
          says: `${printable(className)}\nrecall ${formatPercent(recall)}\nprecision ${formatPercent(precision)}`,
        })),
      })),
      scales: [
        { name: "recall", type: "linear", range: "width", domain: [0, 1] },
        { name: "precision", type: "linear", range: "height", domain: [0, 1] },
      ],
      axes: [
        { ...axisStyle, orient: "bottom", scale: "recall", title: "recall", grid: true, ...percentLabels() },
        { ...axisStyle, orient: "left", scale: "precision", title: "precision", grid: true, ...percentLabels() },
      ],
      marks: shown.flatMap(curveMarks),
    },
  );
}

/** Line and points of a curve, and its entry in the legend. */
function curveMarks({ className, average }: ClassCurve, i: number): readonly Mark[] {
  const data = `curve-${i}`;
  const colour = { value: hues[i % hues.length] as string };
  const dash = dashes[Math.floor(i / hues.length) % dashes.length] as number[];
  const at = { x: { scale: "recall", field: "recall" }, y: { scale: "precision", field: "precision" } };
  const stroke = { stroke: colour, strokeWidth: { value: 2 }, strokeDash: { value: dash } };
  const dot = { size: { value: 12 }, fill: colour, stroke: colour, description: { field: "says" } };
  const y = LEGEND_ROW * (i + 0.5);
  const key = { x: { value: SIDE + 16 }, x2: { value: SIDE + 40 }, y: { value: y }, ...stroke };
  return [
    { type: "line", name: `${data}-line`, from: { data }, encode: { enter: { ...at, ...stroke } } },
    { type: "symbol", name: `${data}-points`, from: { data }, encode: { enter: { ...at, ...dot } } },
    { type: "rule", encode: { enter: key } },
    textMark(`${axisLabel(className)} ${formatPercent(average)}`, { x: SIDE + 48, y }, legendStyle),
  ];
}
