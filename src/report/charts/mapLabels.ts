/** The names of classes on a map. */
import type { Mark } from "vega";
import { displayWidth } from "../text.ts";
import { colours } from "../theme.ts";
import { chartFont, fontSize } from "./chart.ts";

/** A name, and the place of its middle in pixels. */
export interface Label {
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

/** Of a letter in bold, at most. */
const LETTER = 0.66 * fontSize;
const HEIGHT = 18;

/** The medians of the coordinates: outliers do not move them. */
export function middleOf(points: readonly { readonly x: number; readonly y: number }[]) {
  const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return { x: median(points.map(({ x }) => x)), y: median(points.map(({ y }) => y)) };
}

/** The same labels within a square of this side, moved up and down until none covers another. */
export function spread(labels: readonly Label[], side: number): readonly Label[] {
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

/** First a white edge, so that letters can be read on points. */
export function labelMarks(): Mark[] {
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
