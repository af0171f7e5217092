/** Precision-recall and ROC curves, one for each class against all others. */
import type { Mark } from "vega";
import { printable } from "../../escape.ts";
import type { Curve, RankingFigures } from "../../training/evaluation/labelRanking.ts";
import type { Evaluation } from "../../training/evaluation/metrics.ts";
import { formatPercent } from "../numbers.ts";
import { colours } from "../theme.ts";
import { axisLabel, axisStyle, chartText, drawChart, fontSize, percentLabels } from "./chart.ts";
import { textMark } from "./curveMarks.ts";

/** Maximum number of curves; beyond it, only the classes with the lowest average precision are drawn. */
const CURVES = 12;
const LEGEND_ROW = 20;
const SIDE = 400;
const hues = [colours.blue, colours.orange, colours.green, colours.purple, colours.petrol, colours.ochre];
const dashes = [[], [6, 3]];
const legendStyle = { ...chartText, fontSize: fontSize - 1 };

/** A kind of curve: its axes, the area below it, and the key of each in an evaluation. */
interface CurveKind {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  /** Short name of the area, for the title. */
  readonly short: string;
  readonly area: string;
  areaOf(figures: Evaluation["perClass"][number]): number | null | undefined;
  curvesOf(figures: Partial<RankingFigures>): readonly Curve[];
  meanOf(figures: Partial<RankingFigures>): number | null | undefined;
  /** Curve of chance, if it is the same for every class. */
  readonly chance: Curve;
}

const precisionRecall: CurveKind = {
  title: "Precision and recall",
  x: "recall",
  y: "precision",
  short: "AP",
  area: "average precision",
  areaOf: ({ averagePrecision }) => averagePrecision,
  curvesOf: ({ curves = [] }) => curves,
  meanOf: ({ meanAveragePrecision }) => meanAveragePrecision,
  chance: [],
};

const roc: CurveKind = {
  title: "ROC",
  x: "false-positive rate",
  y: "recall",
  short: "AUC",
  area: "area under the curve",
  areaOf: ({ rocAuc }) => rocAuc,
  curvesOf: ({ rocCurves = [] }) => rocCurves,
  meanOf: ({ meanRocAuc }) => meanRocAuc,
  chance: [
    [0, 0],
    [1, 1],
  ],
};

/** Curve of one class. */
interface ClassCurve {
  readonly className: string;
  readonly area: number;
  readonly points: Curve;
}

/** Draws precision by recall as SVG, one curve for each class with images, the highest average precision first. */
export function drawPrecisionRecall(
  evaluation: Pick<Evaluation, "perClass">,
  figures: Pick<RankingFigures, "curves" | "meanAveragePrecision">,
  title: string,
): Promise<string> {
  return drawRanking(precisionRecall, evaluation, figures, title);
}

/** Draws ROC curves as SVG, one for each class that some images have and others lack, the largest area first. The dashed line is chance. */
export function drawRoc(
  evaluation: Pick<Evaluation, "perClass">,
  figures: Pick<RankingFigures, "rocCurves" | "meanRocAuc">,
  title: string,
): Promise<string> {
  return drawRanking(roc, evaluation, figures, title);
}

function drawRanking(
  kind: CurveKind,
  { perClass }: Pick<Evaluation, "perClass">,
  figures: Partial<RankingFigures>,
  title: string,
): Promise<string> {
  const curves = kind.curvesOf(figures);
  const known = perClass.flatMap((own, c): readonly ClassCurve[] => {
    const area = kind.areaOf(own);
    return typeof area === "number" ? [{ className: own.className, area, points: curves[c] ?? [] }] : [];
  });
  const shown = known.toSorted((a, b) => b.area - a.area).slice(-CURVES);
  const what = known.length > shown.length ? `, ${CURVES} classes of ${known.length} with the lowest ${kind.area}` : "";
  const average = kind.meanOf(figures);
  const mean = typeof average === "number" ? `, mean ${kind.short} ${formatPercent(average)}` : "";
  const size = { width: SIDE, height: SIDE, left: 80, right: 230, bottom: 60 };
  return drawChart(
    { title: `${kind.title}${what}${mean}: ${title}`, ...size },
    {
      data: [
        { name: "chance", values: kind.chance.map(([x, y]) => ({ x, y })) },
        ...shown.map(({ className, points }, i) => ({
          name: `curve-${i}`,
          values: points.map(([x, y]) => ({
            x,
            y,
            says: `${printable(className)}\n${kind.x} ${formatPercent(x)}\n${kind.y} ${formatPercent(y)}`,
          })),
        })),
      ],
      scales: [
        { name: "x", type: "linear", range: "width", domain: [0, 1] },
        { name: "y", type: "linear", range: "height", domain: [0, 1] },
      ],
      axes: [
        { ...axisStyle, orient: "bottom", scale: "x", title: kind.x, grid: true, ...percentLabels() },
        { ...axisStyle, orient: "left", scale: "y", title: kind.y, grid: true, ...percentLabels() },
      ],
      marks: [chanceMark, ...shown.flatMap(curveMarks)],
    },
  );
}

/** Position of a point of a curve. */
const at = { x: { scale: "x", field: "x" }, y: { scale: "y", field: "y" } };

const chanceMark: Mark = {
  type: "line",
  name: "chance-line",
  from: { data: "chance" },
  encode: { enter: { ...at, stroke: { value: colours.rule }, strokeDash: { value: [5, 4] } } },
};

/** Line and points of a curve, and its entry in the legend. */
function curveMarks({ className, area }: ClassCurve, i: number): readonly Mark[] {
  const data = `curve-${i}`;
  const colour = { value: hues[i % hues.length] as string };
  const dash = dashes[Math.floor(i / hues.length) % dashes.length] as number[];
  const stroke = { stroke: colour, strokeWidth: { value: 2 }, strokeDash: { value: dash } };
  const dot = { size: { value: 12 }, fill: colour, stroke: colour, description: { field: "says" } };
  const y = LEGEND_ROW * (i + 0.5);
  const key = { x: { value: SIDE + 16 }, x2: { value: SIDE + 40 }, y: { value: y }, ...stroke };
  return [
    { type: "line", name: `${data}-line`, from: { data }, encode: { enter: { ...at, ...stroke } } },
    { type: "symbol", name: `${data}-points`, from: { data }, encode: { enter: { ...at, ...dot } } },
    { type: "rule", encode: { enter: key } },
    textMark(`${axisLabel(className)} ${formatPercent(area)}`, { x: SIDE + 48, y }, legendStyle),
  ];
}
