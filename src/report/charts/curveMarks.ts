/** Curves and their legend entries as vega marks. */
import type { Mark } from "vega";
import { colours } from "../theme.ts";
import type { Series } from "./curveSeries.ts";

/** A series, its axis and its style. */
export interface Line {
  readonly series: Series;
  readonly scale: "loss" | "accuracy";
  /** Text of a value. */
  readonly format: (value: number) => string;
  readonly color: string;
  readonly dash: readonly number[];
  readonly hasMarkers: boolean;
  readonly legend: Place;
}

/** Style of a text. */
export interface TextStyle {
  readonly font: string;
  readonly fontSize: number;
  readonly fontWeight: "normal" | "bold";
  readonly fill: string;
  readonly align: "left" | "center";
}

/** A position in pixels from the top left corner of the plot. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

const markerArea = 72;
const legendLineWidth = 30;
const legendGap = 8;

/** Name of a series' data set, such as `train-loss`. Its marks have the classes `train-loss-line` and `train-loss-points`. */
export function dataName({ name }: Series): string {
  return name.replaceAll(" ", "-");
}

function strokeOf({ color, dash }: Line) {
  return { stroke: { value: color }, strokeWidth: { value: 2 }, strokeDash: { value: [...dash] } };
}

function markerOf({ color }: Line) {
  return {
    fill: { value: color },
    size: { value: markerArea },
    stroke: { value: colours.background },
    strokeWidth: { value: 1.5 },
  };
}

/** Line and markers of a series. */
export function lineMarks(line: Line): Mark[] {
  const name = dataName(line.series);
  const position = { x: { scale: "epoch", field: "epoch" }, y: { scale: line.scale, field: "value" } };
  const path: Mark = {
    type: "line",
    name: `${name}-line`,
    from: { data: name },
    encode: { enter: { ...position, ...strokeOf(line), strokeJoin: { value: "round" } } },
  };
  const points: Mark = {
    type: "symbol",
    name: `${name}-points`,
    from: { data: name },
    encode: { enter: { ...position, ...markerOf(line) } },
  };
  return line.hasMarkers ? [path, points] : [path];
}

/** A text whose first line is vertically centred on its position. */
export function textMark(
  text: string | string[],
  at: Place,
  { font, fontSize, fontWeight, fill, align }: TextStyle,
): Mark {
  const enter = {
    x: { value: at.x },
    y: { value: at.y },
    baseline: { value: "middle" },
    text: { value: text },
    font: { value: font },
    fontSize: { value: fontSize },
    fontWeight: { value: fontWeight },
    fill: { value: fill },
    align: { value: align },
  } as const;
  return { type: "text", encode: { enter } };
}

/** Legend entry: a piece of the line, then the series' name and last value. */
export function legendMarks(line: Line, style: TextStyle): Mark[] {
  const { name, last } = line.series;
  const at = line.legend;
  const y = { value: at.y };
  const text = `${name} ${last === undefined ? "–" : line.format(last)}`;
  const key: Mark = {
    type: "rule",
    encode: { enter: { x: { value: at.x }, x2: { value: at.x + legendLineWidth }, y, ...strokeOf(line) } },
  };
  const marker: Mark = {
    type: "symbol",
    encode: { enter: { x: { value: at.x + legendLineWidth / 2 }, y, ...markerOf(line) } },
  };
  const label = textMark(text, { x: at.x + legendLineWidth + legendGap, y: at.y }, style);
  return line.hasMarkers ? [key, marker, label] : [key, label];
}
