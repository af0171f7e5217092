/**
 * Values of a chart under the pointer: marks with a `description` get an SVG `<title>`, which browsers show on hover without a script. The
 * script of pages (`pageScript.ts`) shows the same texts at once, and by keyboard.
 */
import type { Mark } from "vega";
import { formatEpoch } from "../numbers.ts";
import { colours } from "../theme.ts";
import type { Series } from "./curveSeries.ts";

/** A column of the plot, and the text shown when the pointer is in it. Positions in pixels. */
export interface HoverColumn {
  readonly left: number;
  readonly right: number;
  readonly says: string;
}

/** A series and the text of its values. */
export interface HoverSeries {
  readonly series: Series;
  readonly format: (value: number) => string;
}

/** Minimum width of a column. */
const narrowest = 4;

/** Columns around the points of all series; each says the newest value of every series that has not ended before it. */
export function hoverColumns(
  all: readonly HoverSeries[],
  { width, lastEpoch }: { readonly width: number; readonly lastEpoch: number },
): readonly HoverColumn[] {
  const xOf = (epoch: number) => (width * epoch) / lastEpoch;
  const anchors = anchorsOf(all, (a, b) => xOf(b) - xOf(a) >= narrowest);
  const cursors = all.map(() => 0);
  return anchors.map((epoch, i) => {
    const from = i === 0 ? 0 : (epoch + (anchors[i - 1] as number)) / 2;
    const next = anchors[i + 1];
    const to = next === undefined ? lastEpoch : (epoch + next) / 2;
    const values = all.flatMap(({ series: { name, points }, format }, s) => {
      let cursor = cursors[s] as number;
      while (cursor < points.length && (points[cursor]?.epoch ?? 0) <= to) cursor++;
      cursors[s] = cursor;
      const newest = points[cursor - 1];
      return newest && (points.at(-1)?.epoch ?? 0) >= from ? [`${name} ${format(newest.value)}`] : [];
    });
    return { left: xOf(from), right: xOf(to), says: [`epoch ${formatEpoch(epoch)}`, ...values].join("\n") };
  });
}

/** Epochs of points, in order, with enough room between them; the last one is among them. */
function anchorsOf(all: readonly HoverSeries[], isApart: (a: number, b: number) => boolean): readonly number[] {
  const epochs = new Set(all.flatMap(({ series }) => series.points.map(({ epoch }) => epoch)));
  const sorted = [...epochs].sort((a, b) => a - b);
  const anchors: number[] = [];
  for (const epoch of sorted) {
    const before = anchors.at(-1);
    if (before === undefined || isApart(before, epoch)) anchors.push(epoch);
  }
  return [...anchors.slice(0, -1), ...sorted.slice(-1)];
}

/** Columns as a data set and a mark: invisible, and shaded under the pointer by the style sheet of pages. */
export function hoverMark(columns: readonly HoverColumn[], height: number) {
  const enter = {
    x: { field: "left" },
    x2: { field: "right" },
    y: { value: 0 },
    height: { value: height },
    fill: { value: colours.ink },
    fillOpacity: { value: 0 },
    description: { field: "says" },
  };
  const mark: Mark = { type: "rect", name: "hover", from: { data: "hover-columns" }, encode: { enter } };
  return { data: { name: "hover-columns", values: [...columns] }, mark };
}

/** Turns the descriptions of marks, which vega writes as attributes of a path, into titles of the path. */
export function withTitles(svg: string): string {
  return svg.replace(
    /<path aria-label="([^"]*)" role="graphics-symbol" aria-roledescription="[^"]*"([^>]*?)(?:\/>|><\/path>)/g,
    "<path$2><title>$1</title></path>",
  );
}

/** Rounds coordinates to a hundredth of a pixel: vega writes up to 17 digits. */
export function withShortNumbers(svg: string): string {
  return svg.replace(/ (?:d|transform)="[^"]*"/g, (attribute) =>
    attribute.replace(/-?\d+\.\d{3,}(?:e-?\d+)?/g, (digits) => String(Number(Number(digits).toFixed(2)))),
  );
}
