/**
 * A map of images as a scatter plot. Each class has a colour, and from the eleventh on also another shape; beyond twenty classes, the rest
 * are grey. Class names are drawn at the middle of their points too, so that no reader depends on the legend's colours.
 */
import type { Mark, Spec } from "vega";
import { printable } from "../../escape.ts";
import { formatPercent } from "../numbers.ts";
import { displayWidth } from "../text.ts";
import { colours } from "../theme.ts";
import { axisLabel, axisStyle, chartFont, chartText, drawChart, fontSize } from "./chart.ts";
import { textMark } from "./curveMarks.ts";

/** Data of a map. */
export interface DrawnMap {
  readonly layer: string;
  readonly features: number;
  readonly method: "tsne" | "pca";
  readonly perplexity?: number | undefined;
  readonly explainedVariance: readonly number[];
  readonly points: readonly {
    readonly className?: string;
    readonly predicted: string;
    readonly x: number;
    readonly y: number;
  }[];
}

/** Ten colours that are distinct under colour blindness. Source: Petroff 2021, “Accessible color sequences for data visualization”. */
const palette = "#3f90da #ffa90e #bd1f01 #94a4a2 #832db6 #a96b59 #e76300 #b9ac70 #717581 #92dadd".split(" ");
const forms = ["circle", "triangle-up"] as const;
const otherColour = "#d0d0d0";
const SHOWN_CLASSES = palette.length * forms.length;
const side = 560;

interface ShownClass {
  readonly name: string;
  readonly colour: string;
  readonly form: string;
}

/** Draws the map as SVG. `title` names the network and the images. */
export async function drawMap(map: DrawnMap, classNames: readonly string[], title: string): Promise<string> {
  const classOf = ({ className, predicted }: DrawnMap["points"][number]) => className ?? predicted;
  const shown = shownClasses(map.points.map(classOf), classNames);
  const byName = new Map(shown.map((each) => [each.name, each]));
  const others = map.points.filter((point) => !byName.has(classOf(point)));
  const legend = others.length > 0 ? [...shown, { name: "other classes", colour: otherColour, form: "circle" }] : shown;
  const points = map.points.map((point) => {
    const { colour, form } = byName.get(classOf(point)) ?? { colour: otherColour, form: "circle" };
    const isWrong = (point.className ?? point.predicted) !== point.predicted;
    const says = [printable(classOf(point)), ...(isWrong ? [`predicted ${printable(point.predicted)}`] : [])].join(
      "\n",
    );
    return { x: point.x, y: point.y, colour, form, isWrong, says };
  });
  const scales = scalesOf(map.points);
  const labels = labelsOf(shown, (name) => map.points.filter((point) => classOf(point) === name), scales);
  return drawChart(
    { title, width: side, height: side, left: 56, right: 190, bottom: 56, top: 44 },
    {
      data: [
        { name: "right", values: points.filter(({ isWrong }) => !isWrong) },
        { name: "wrong", values: points.filter(({ isWrong }) => isWrong) },
        { name: "labels", values: labels },
      ],
      scales: [
        { name: "x", type: "linear", range: "width", domain: scales.x, zero: false, nice: false },
        { name: "y", type: "linear", range: "height", domain: scales.y, zero: false, nice: false },
      ],
      axes: axesOf(map),
      marks: [
        ...lines(map).map((line, i) => textMark(line, { x: -40, y: 18 * i - 52 }, text)),
        ...(["right", "wrong"] as const).map(pointMarks),
        ...legend.flatMap(legendMarks),
        ...labelMarks(),
      ],
    },
  );
}

const text = { ...chartText, fontSize: fontSize - 1 };

/** Subtitle: the projection method and its settings. */
function lines({ layer, features, method, perplexity, points }: DrawnMap): readonly string[] {
  const how = method === "tsne" ? `t-SNE (perplexity ${perplexity})` : "principal components";
  const known = points.filter(({ className }) => className !== undefined);
  const right = known.filter(({ className, predicted }) => className === predicted).length;
  const judged =
    known.length > 0 ? `accuracy ${formatPercent(right / known.length)}; hollow: another class predicted` : "";
  const unknown = known.length < points.length ? "colour: the predicted class if the true one is unknown" : "";
  return [
    `${how} of the ${features.toLocaleString("en")} outputs of ${layer}`,
    [judged, unknown].filter((part) => part !== "").join("; "),
  ];
}

/** Classes to colour, in model order; if there are too many, those with the most images. */
function shownClasses(present: readonly string[], classNames: readonly string[]): readonly ShownClass[] {
  const counts = new Map<string, number>();
  for (const name of present) counts.set(name, (counts.get(name) ?? 0) + 1);
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, SHOWN_CLASSES);
  const names = new Set(most.map(([name]) => name));
  // The colour follows the class index, so that a network of few classes has the same colours on every map.
  const listed = classNames.length <= SHOWN_CLASSES ? classNames : classNames.filter((name) => names.has(name));
  const all = listed.map((name, i) => ({
    name,
    colour: palette[i % palette.length] as string,
    form: forms[Math.floor(i / palette.length)] as string,
  }));
  return all.filter(({ name }) => names.has(name));
}

interface Scales {
  readonly x: [number, number];
  readonly y: [number, number];
}

/** One scale for both axes, with a margin. */
function scalesOf(points: DrawnMap["points"]): Scales {
  const range = (values: readonly number[]) => [
    values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  ];
  const [left, right] = range(points.map(({ x }) => x)) as [number, number];
  const [low, high] = range(points.map(({ y }) => y)) as [number, number];
  const half = 0.53 * Math.max(right - left, high - low);
  const around = (a: number, b: number): [number, number] => [(a + b) / 2 - half, (a + b) / 2 + half];
  return { x: around(left, right), y: around(low, high) };
}

function axesOf({ method, explainedVariance }: DrawnMap): NonNullable<Spec["axes"]> {
  return (["x", "y"] as const).map((scale, i) => {
    const orient = scale === "x" ? "bottom" : "left";
    // t-SNE distances have no unit and its axes no meaning.
    if (method === "tsne") return { ...axisStyle, orient, scale, ticks: false, labels: false, title: `t-SNE ${i + 1}` };
    const fraction = explainedVariance[i] ?? 0;
    return {
      ...axisStyle,
      orient,
      scale,
      tickCount: 6,
      title: `component ${i + 1} (${formatPercent(fraction)} of the variance)`,
    };
  });
}

function pointMarks(name: "right" | "wrong"): Mark {
  const colour = { field: "colour" };
  const filled =
    name === "right" ? { fill: colour, fillOpacity: { value: 0.8 } } : { fill: { value: colours.background } };
  return {
    type: "symbol",
    name: `${name}-points`,
    from: { data: name },
    encode: {
      enter: {
        x: { scale: "x", field: "x" },
        y: { scale: "y", field: "y" },
        shape: { field: "form" },
        size: { value: name === "right" ? 26 : 30 },
        stroke: colour,
        strokeWidth: { value: name === "right" ? 0 : 1.3 },
        description: { field: "says" },
        ...filled,
      },
    },
  };
}

function legendMarks({ name, colour, form }: ShownClass, i: number): Mark[] {
  const y = 10 + 22 * i;
  const at = { x: { value: side + 22 }, y: { value: y } };
  return [
    {
      type: "symbol",
      encode: { enter: { ...at, shape: { value: form }, size: { value: 90 }, fill: { value: colour } } },
    },
    textMark(axisLabel(name), { x: side + 36, y }, chartText),
  ];
}

/** Class names at the middle of their points, in pixels. */
function labelsOf(
  shown: readonly ShownClass[],
  pointsOf: (name: string) => DrawnMap["points"],
  { x, y }: Scales,
): readonly Label[] {
  const extent = x[1] - x[0] || 1;
  const labels = shown.map(({ name }) => {
    const middle = middleOf(pointsOf(name));
    const down = side - (side * (middle.y - y[0])) / extent;
    return { name: axisLabel(name), x: (side * (middle.x - x[0])) / extent, y: down };
  });
  return spread(labels, side);
}

/** A name and its centre in pixels. */
interface Label {
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

/** Maximum width of a bold letter. */
const LETTER = 0.66 * fontSize;
const HEIGHT = 18;

/** Median coordinates, which are insensitive to outliers. */
function middleOf(points: readonly { readonly x: number; readonly y: number }[]) {
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return { x: median(points.map(({ x }) => x)), y: median(points.map(({ y }) => y)) };
}

/** Moves labels up and down within a square of the given side until none overlap. */
function spread(labels: readonly Label[], side: number): readonly Label[] {
  const moved = labels.map(({ name, x, y }) => {
    const width = displayWidth(name) * LETTER;
    return { name, x: Math.min(Math.max(x, width / 2), side - width / 2), y, width };
  });
  for (let round = 0; round < 100; round++) {
    for (const [i, a] of moved.entries()) {
      for (const b of moved.slice(i + 1)) {
        const overlap = HEIGHT - Math.abs(a.y - b.y);
        if (overlap <= 0 || Math.abs(a.x - b.x) >= (a.width + b.width) / 2) continue;
        const direction = a.y <= b.y ? 1 : -1;
        a.y -= (direction * overlap) / 2;
        b.y += (direction * overlap) / 2;
      }
    }
    for (const label of moved) label.y = Math.min(Math.max(label.y, HEIGHT / 2), side - HEIGHT / 2);
  }
  return moved;
}

/** The label with a white outline below it, legible over points. */
function labelMarks(): Mark[] {
  return [colours.background, colours.ink].map((colour, i) => ({
    type: "text",
    from: { data: "labels" },
    encode: {
      enter: {
        x: { field: "x" },
        y: { field: "y" },
        text: { field: "name" },
        align: { value: "center" },
        baseline: { value: "middle" },
        font: { value: chartFont },
        fontSize: { value: fontSize },
        fontWeight: { value: "bold" },
        fill: { value: colour },
        ...(i === 0 ? { stroke: { value: colour }, strokeWidth: { value: 3 }, strokeJoin: { value: "round" } } : {}),
      },
    },
  }));
}
