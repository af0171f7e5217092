/** Line charts of a run in training, as SVG. */
import { svg } from "./dom.ts";
import { number, percent } from "./language.ts";

/** A line of a chart. */
export interface Line {
  readonly name: string;
  /** Class of the style sheet with its colour. */
  readonly style: "train" | "test";
  readonly points: readonly (readonly [x: number, y: number])[];
  /** True if each point is marked. */
  readonly marked?: boolean;
}

/** A chart with a fixed lower end of 0. */
export interface ChartOptions {
  readonly title: string;
  readonly lines: readonly Line[];
  /** Upper end of the axis; default: the largest value. */
  readonly top?: number;
  readonly isPercent?: boolean;
}

const size = { width: 460, height: 220 };
const plot = { left: 46, right: 12, top: 12, bottom: 26 };
const MOST_POINTS = 400;

/** Draws a chart; its title and last values are its text for screen readers. */
export function drawLines({ title, lines, top, isPercent = false }: ChartOptions): SVGSVGElement {
  const drawn = lines.map((line) => ({ ...line, points: thinned(finite(line.points)) }));
  const all = drawn.flatMap(({ points }) => points);
  const last = Math.max(1, ...all.map(([x]) => x));
  const greatest = top ?? niceAbove(Math.max(1e-6, ...all.map(([, y]) => y)));
  const x = (value: number) => plot.left + (value / last) * (size.width - plot.left - plot.right);
  const y = (value: number) =>
    size.height - plot.bottom - (Math.min(value, greatest) / greatest) * (size.height - plot.top - plot.bottom);
  const label = (value: number, digits: number) => (isPercent ? percent(value, 0) : number(value, digits));
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => part * greatest);
  const digits = decimalsOf(greatest / 4);
  const said = lines.map(
    ({ name, points }) => `${name}: ${points.length > 0 ? label(points.at(-1)?.[1] ?? 0, 3) : "–"}`,
  );
  return svg(
    "svg",
    { viewBox: `0 0 ${size.width} ${size.height}`, role: "img", "aria-label": `${title}; ${said.join(", ")}` },
    ...ticks.flatMap((value) => [
      svg("line", { class: "grid", x1: plot.left, x2: size.width - plot.right, y1: y(value), y2: y(value) }),
      svg("text", { x: plot.left - 6, y: y(value) + 4, "text-anchor": "end" }, label(value, digits)),
    ]),
    svg("text", { x: size.width - plot.right, y: size.height - 6, "text-anchor": "end" }, number(last)),
    svg("text", { x: plot.left, y: size.height - 6 }, "0"),
    ...drawn.flatMap((line) => drawLine(line, x, y)),
  );
}

type Scale = (value: number) => number;

function drawLine({ style, points, marked }: Line, x: Scale, y: Scale): readonly SVGElement[] {
  if (points.length === 0) return [];
  const path = points.map(([px, py], i) => `${i === 0 ? "M" : "L"}${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("");
  const line = svg("path", { class: `line ${style}`, d: path });
  const dots = marked
    ? points.map(([px, py]) => svg("circle", { class: `dot ${style}`, cx: x(px), cy: y(py), r: 4 }))
    : [];
  return [line, ...dots];
}

function finite(points: Line["points"]): Line["points"] {
  return points.filter(([, value]) => Number.isFinite(value));
}

/** At most `MOST_POINTS` points: the means of runs of points. */
function thinned(points: Line["points"]): Line["points"] {
  const run = Math.ceil(points.length / MOST_POINTS);
  if (run <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / run) }, (_, i) => {
    const own = points.slice(i * run, (i + 1) * run);
    const mean = own.reduce((sum, [, value]) => sum + value, 0) / own.length;
    return [own.at(-1)?.[0] ?? 0, mean] as const;
  });
}

/** Number of decimals of a value, at most 6. */
function decimalsOf(value: number): number {
  const digits = [0, 1, 2, 3, 4, 5].find(
    (each) => Math.abs(value * 10 ** each - Math.round(value * 10 ** each)) < 1e-6,
  );
  return digits ?? 6;
}

/** 1, 2, 4, 5 or 8 times a power of ten, at or above a value. */
function niceAbove(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 4, 5, 8, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}
