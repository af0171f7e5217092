/** Common parts of all charts: their look, and drawing by vega. */
import type { Axis, Mark, Spec } from "vega";
import { printable, truncate } from "../text.ts";
import { colours } from "../theme.ts";

export const chartFont = "DejaVu Sans, Verdana, sans-serif";
export const fontSize = 13;
/** From the figure's upper edge to its plot. */
const top = 56;

/** A plot with its title, in pixels. */
export interface ChartFrame {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly bottom: number;
  /** Besides the title. */
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

/** Draws a specification of vega's. */
export async function drawSpec(spec: Spec): Promise<string> {
  // Loading vega takes a third of a second, which commands that draw nothing should not pay.
  const { parse, View } = await import("vega");
  return new View(parse(withTextsAsData(spec)), { renderer: "none" }).toSVG();
}

/**
 * The same specification with the texts of its marks in a data set: vega compiles constants into expressions, in which it takes a text such as
 * `constructor` for a name of its own.
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

/** In bold, from the figure's left edge on. */
function titleMark({ title, width, left, right }: ChartFrame, above: number): Mark {
  const size = fontSize + 2;
  // Names in lower case take 0.61 em a letter in bold DejaVu Sans.
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

/** Style of every axis, with text of this size. */
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

/** A class name as it stands on an axis. */
export function axisLabel(className: string): string {
  return truncate(printable(className), 18);
}
