/** Chart of dots of an experiment: one row per configuration. */
import type { Mark } from "vega";
import { printable } from "../../escape.ts";
import { formatUnreached } from "../numbers.ts";
import { truncate } from "../text.ts";
import { colours } from "../theme.ts";
import { chartText, drawChart } from "./chart.ts";
import { textMark } from "./curveMarks.ts";
import {
  barOf,
  type ChartSize,
  domainOf,
  type FigurePoint,
  letter,
  type ValueAxis,
  valueAxis,
} from "./experimentChart.ts";

const { blue, ink, rule, background } = colours;

/** Parts of a chart of dots. */
export interface DotsFrame {
  readonly title: string;
  readonly axis: ValueAxis;
}

/** Height of a row, and the place of its label: left of the plot, or above the dots on narrow screens. */
const layouts = {
  wide: { width: 420, left: 246, row: 30, labelX: -230, labelUp: 0, down: 0 },
  compact: { width: 286, left: 28, row: 46, labelX: -12, labelUp: 20, down: 9 },
} as const satisfies Readonly<Record<ChartSize, object>>;

/**
 * Draws one row per point: a dot for each seed, the mean as a bar, and one standard deviation each way, as SVG in the light palette. A dashed line marks the
 * first row's mean.
 */
export function drawDotChart(
  { title, axis }: DotsFrame,
  points: readonly FigurePoint[],
  size: ChartSize,
): Promise<string> {
  const { width, left, row, labelX, labelUp, down } = layouts[size];
  const height = row * Math.max(1, points.length);
  const letters = Math.floor((size === "wide" ? left - 26 : width) / letter);
  const reached = points.filter(({ y }) => Number.isFinite(y));
  const domain = domainOf(
    reached.flatMap(({ y, deviation, values }) => [y - deviation, y + deviation, ...values]),
    { floor: Number.NEGATIVE_INFINITY },
  );
  const place = (value: number) => (width * (value - domain[0])) / (domain[1] - domain[0]);
  const first = reached[0] === points[0] ? points[0] : undefined;
  return drawChart(
    { title, width, height, left, right: 24, bottom: 56 },
    {
      scales: [{ name: "y", type: "linear", range: "width", domain, zero: false }],
      axes: [{ ...valueAxis(axis, "bottom", domain), tickCount: size === "wide" ? 6 : 3 }],
      marks: [
        ...(first ? [verticalRule(place(first.y), { from: 0, to: height, stroke: rule, dash: [3, 3], width: 1 })] : []),
        ...points.flatMap((point, i) =>
          rowMarks(point, (i + 0.5) * row + down, { place, letters, labelX, labelUp, axis }),
        ),
      ],
    },
  );
}

interface RowFrame {
  readonly place: (value: number) => number;
  readonly letters: number;
  readonly labelX: number;
  readonly labelUp: number;
  readonly axis: ValueAxis;
}

function rowMarks(point: FigurePoint, y: number, { place, letters, labelX, labelUp, axis }: RowFrame): Mark[] {
  const label = textMark(truncate(printable(String(point.x)), letters), { x: labelX, y: y - labelUp }, chartText);
  if (!Number.isFinite(point.y)) {
    return [label, textMark(formatUnreached(point.values) ?? "not reached", { x: 8, y }, chartText)];
  }
  const { says } = barOf(point, axis);
  const [low, high] = [place(point.y - point.deviation), place(point.y + point.deviation)];
  const span: Mark = {
    type: "rule",
    encode: {
      enter: {
        x: { value: low },
        x2: { value: high },
        y: { value: y },
        stroke: { value: blue },
        strokeWidth: { value: 2 },
      },
    },
  };
  const dots = point.values.filter(Number.isFinite).map(
    (value): Mark => ({
      type: "symbol",
      encode: {
        enter: {
          x: { value: place(value) },
          y: { value: y },
          size: { value: 56 },
          fill: { value: blue },
          fillOpacity: { value: 0.75 },
          stroke: { value: background },
          description: { value: says },
        },
      },
    }),
  );
  const mean = verticalRule(place(point.y), { from: y - 9, to: y + 9, stroke: ink, dash: [], width: 2 });
  return [label, span, ...dots, ...(point.values.length > 1 ? [mean] : [])];
}

interface RuleStyle {
  readonly from: number;
  readonly to: number;
  readonly stroke: string;
  readonly dash: readonly number[];
  readonly width: number;
}

function verticalRule(x: number, { from, to, stroke, dash, width }: RuleStyle): Mark {
  return {
    type: "rule",
    encode: {
      enter: {
        x: { value: x },
        y: { value: from },
        y2: { value: to },
        stroke: { value: stroke },
        strokeDash: { value: [...dash] },
        strokeWidth: { value: width },
      },
    },
  };
}
