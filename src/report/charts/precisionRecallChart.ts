/** Precision-recall curves of a multi-label network. */
import { printable } from "../../escape.ts";
import type { Evaluation } from "../../training/evaluation/metrics.ts";
import type { MultiLabelFigures } from "../../training/evaluation/multiLabel.ts";
import { formatPercent } from "../numbers.ts";
import { colours } from "../theme.ts";
import { axisLabel, axisStyle, chartFont, drawChart, fontSize, percentLabels } from "./chart.ts";

/** Maximum number of curves; beyond it, only the classes with the lowest average precision are drawn. */
const CURVES = 12;
const LEGEND_ROW = 20;
const SIDE = 400;
const hues = [colours.blue, colours.orange, colours.green, colours.purple, colours.petrol, colours.ochre];
const dashes = [[], [6, 3]];

/** Draws precision by recall as SVG, one curve for each class with images, the highest average precision first. */
export function drawPrecisionRecall(
  { perClass }: Pick<Evaluation, "perClass">,
  { curves, meanAveragePrecision }: Pick<MultiLabelFigures, "curves" | "meanAveragePrecision">,
  title: string,
): Promise<string> {
  const known = perClass.flatMap(({ className, averagePrecision }, c) =>
    averagePrecision === undefined || averagePrecision === null
      ? []
      : [{ className, average: averagePrecision, points: curves[c] ?? [] }],
  );
  const shown = known.toSorted((a, b) => b.average - a.average).slice(-CURVES);
  const lines = shown.map((line, i) => ({
    ...line,
    name: `curve-${i}`,
    colour: hues[i % hues.length] as string,
    dash: dashes[Math.floor(i / hues.length) % dashes.length] as number[],
  }));
  const what =
    known.length > shown.length ? `, ${CURVES} labels of ${known.length} with the lowest average precision` : "";
  const mean = meanAveragePrecision === null ? "" : `, mean AP ${formatPercent(meanAveragePrecision)}`;
  return drawChart(
    {
      title: `Precision and recall${what}${mean}: ${title}`,
      width: SIDE,
      height: SIDE,
      left: 80,
      right: 230,
      bottom: 60,
    },
    {
      data: lines.map(({ name, className, points }) => ({
        name,
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
      marks: lines.flatMap(({ name, colour, dash, className, average }, i) => {
        const at = { x: { scale: "recall", field: "recall" }, y: { scale: "precision", field: "precision" } };
        const y = { value: LEGEND_ROW * (i + 0.5) };
        const stroke = { stroke: { value: colour }, strokeWidth: { value: 2 }, strokeDash: { value: dash } };
        return [
          { type: "line", name: `${name}-line`, from: { data: name }, encode: { enter: { ...at, ...stroke } } },
          {
            type: "symbol",
            name: `${name}-points`,
            from: { data: name },
            encode: {
              enter: {
                ...at,
                size: { value: 12 },
                fill: { value: colour },
                stroke: { value: colour },
                description: { field: "says" },
              },
            },
          },
          { type: "rule", encode: { enter: { x: { value: SIDE + 16 }, x2: { value: SIDE + 40 }, y, ...stroke } } },
          {
            type: "text",
            encode: {
              enter: {
                x: { value: SIDE + 48 },
                y,
                baseline: { value: "middle" },
                text: { value: `${axisLabel(className)} ${formatPercent(average)}` },
                font: { value: chartFont },
                fontSize: { value: fontSize - 1 },
                fill: { value: colours.ink },
              },
            },
          },
        ] as const;
      }),
    },
  );
}
