/** Common style of all charts, and rendering by vega. */
import type { Axis, Mark, Spec } from "vega";
import { printable } from "../../escape.ts";
import { truncate } from "../text.ts";
import { colours } from "../theme.ts";
import { withShortNumbers, withTitles } from "./hover.ts";

export const chartFont = "DejaVu Sans, Verdana, sans-serif";
export const fontSize = 13;
/** Style of the text of charts. */
export const chartText = { font: chartFont, fontSize, fontWeight: "normal", fill: colours.ink, align: "left" } as const;
/** Distance from the figure's top edge to its plot. */
const top = 56;

/** A plot with its title; sizes in pixels. */
export interface ChartFrame {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  /** Parts of the specification other than the title. */
  readonly top?: number;
}

/** Draws a chart as SVG in the light palette. */
export function drawChart(frame: ChartFrame, parts: Omit<Spec, "width" | "height" | "padding">): Promise<string> {
  const { width, height, left, right, bottom } = frame;
  const above = top + (frame.top ?? 0);
  const spec: Spec = {
    width,
    height,
    padding: { left, right, bottom, top: above },
    autosize: "none",
    background: colours.background,
    ...parts,
    marks: [titleMark(frame, above), ...(parts.marks ?? [])],
  };
  return drawSpec(spec);
}

/** Renders a vega specification. */
export async function drawSpec(spec: Spec): Promise<string> {
  // Loaded on demand: loading vega takes a third of a second.
  const { parse, View } = await import("vega");
  const svg = await new View(parse(withTextsAsData(spec)), { renderer: "none" }).toSVG();
  return withTitles(withShortNumbers(svg));
}

/**
 * Moves the texts of marks into a data set. Vega compiles constants into expressions, where it would read a text such as `constructor` as
 * an identifier.
 */
function withTextsAsData(spec: Spec): Spec {
  const texts: { readonly text: unknown }[] = [];
  const replaced = (mark: Mark): Mark => {
    if (mark.type === "group") return { ...mark, marks: (mark.marks ?? []).map(replaced) };
    if (mark.type !== "text") return mark;
    const enter = mark.encode?.enter;
    if (!enter?.text || !("value" in enter.text)) return mark;
    const signal = `data('texts')[${texts.push({ text: enter.text.value }) - 1}].text`;
    return { ...mark, encode: { ...mark.encode, enter: { ...enter, text: { signal } } } };
  };
  const marks = (spec.marks ?? []).map(replaced);
  return { ...spec, data: [...[spec.data ?? []].flat(), { name: "texts", values: texts }], marks };
}

/** Title in bold, aligned with the figure's left edge. */
function titleMark({ title, width, left, right }: ChartFrame, above: number): Mark {
  const size = fontSize + 2;
  // Lower-case letters in bold DejaVu Sans average 0.61 em.
  const text = truncate(printable(title), Math.floor((left + width + right - 32) / (0.64 * size)));
  return {
    type: "text",
    encode: {
      enter: {
        x: { value: 16 - left },
        y: { value: 24 - above },
        baseline: { value: "middle" },
        text: { value: text },
        font: { value: chartFont },
        fontSize: { value: size },
        fontWeight: { value: "bold" },
        fill: { value: colours.ink },
      },
    },
  };
}

/** Style of every axis, with text of the given size. */
export function axisStyleAt(size: number) {
  return {
    titleFont: chartFont,
    titleFontSize: size,
    titleFontWeight: "normal",
    titleColor: colours.ink,
    titlePadding: 10,
    labelFont: chartFont,
    labelFontSize: size - 1,
    labelColor: colours.ink,
    domainColor: colours.rule,
    tickColor: colours.rule,
    gridColor: colours.grid,
  } as const satisfies Partial<Axis>;
}

export const axisStyle = axisStyleAt(fontSize);

/** Axis labels of fractions, as `formatPercent` writes them: `80 %`. */
export function percentLabels(decimals = 0) {
  const text = { signal: `format(100 * datum.value, '.${decimals}f') + ' %'` };
  return { encode: { labels: { update: { text } } } };
}

/** Axis labels of learning rates, as `formatLearningRate` writes them: `0.01`, `1e-5`. A logarithmic axis leaves some labels empty. */
export const learningRateLabels = {
  format: ".1~e",
  encode: {
    labels: {
      update: {
        text: { signal: "datum.label == '' || datum.value < 1e-4 ? datum.label : format(datum.value, '.2~r')" },
      },
    },
  },
} as const;

/** A class name, shortened for an axis. */
export function axisLabel(className: string): string {
  return truncate(printable(className), 18);
}
