/** Confusion matrix as a chart. */
import type { Evaluation } from "../../training/evaluation/metrics.ts";
import { colours, strongCell } from "../theme.ts";
import { axisLabel, axisStyle, chartFont, drawChart, fontSize } from "./chart.ts";

/** Of more classes only those are shown that are most often mistaken. */
const SHOWN_CLASSES = 30;
/** Of a letter of a label. */
const LETTER = 0.62 * (fontSize - 1);

/**
 * Draws the confusion matrix as SVG: a row for each class, a column for each class predicted, the share of the row in each cell, and its number where there
 * is room. What is right lies on the diagonal.
 */
export function drawConfusion(
  { confusion, perClass }: Pick<Evaluation, "confusion" | "perClass">,
  title: string,
): Promise<string> {
  const shown = shownClasses(confusion);
  const names = shown.map((c) => axisLabel(perClass[c]?.className ?? ""));
  const labels = Math.ceil(LETTER * Math.max(...names.map(({ length }) => length))) + 12;
  const cell = Math.max(18, Math.min(44, Math.floor(560 / shown.length)));
  const side = cell * shown.length;
  const values = shown.flatMap((c, row) => {
    const images = (confusion[c] ?? []).reduce((sum, count) => sum + count, 0);
    return shown.map((p, column) => {
      const count = confusion[c]?.[p] ?? 0;
      const share = images > 0 ? count / images : 0;
      return { row, column, count, share, label: count > 0 ? String(count) : "", isStrong: share > strongCell };
    });
  });
  const rest = confusion.length - shown.length;
  const what = rest > 0 ? ` of the ${shown.length} classes with most mistakes of ${confusion.length}` : "";
  const size = cell < 30 ? 8 : fontSize - 2;
  return drawChart(
    {
      title: `Confusion${what}: ${title}`,
      width: side,
      height: side,
      left: labels + 44,
      // Room for the title where there are few classes.
      right: Math.max(40, 420 - side),
      bottom: 0.87 * labels + 38,
    },
    {
      data: [{ name: "cells", values }],
      scales: [
        { name: "row", type: "band", range: "height", domain: names.map((_, i) => i) },
        { name: "column", type: "band", range: "width", domain: names.map((_, i) => i) },
      ],
      axes: [
        { ...axisStyle, orient: "left", scale: "row", title: "class", ...labelled(names), titleX: -labels - 14 },
        {
          ...axisStyle,
          orient: "bottom",
          scale: "column",
          title: "predicted",
          ...labelled(names),
          labelAngle: -60,
          labelAlign: "right",
          labelBaseline: "middle",
          titleY: 0.87 * labels + 14,
        },
      ],
      marks: [
        {
          type: "rect",
          name: "shares",
          from: { data: "cells" },
          encode: {
            enter: {
              x: { scale: "column", field: "column" },
              y: { scale: "row", field: "row" },
              width: { scale: "column", band: 1 },
              height: { scale: "row", band: 1 },
              fill: { value: colours.cell },
              fillOpacity: { field: "share" },
              stroke: { value: colours.grid },
            },
          },
        },
        {
          type: "text",
          name: "counts",
          from: { data: "cells" },
          encode: {
            enter: {
              x: { scale: "column", field: "column", band: 0.5 },
              y: { scale: "row", field: "row", band: 0.5 },
              text: { field: "label" },
              align: { value: "center" },
              baseline: { value: "middle" },
              font: { value: chartFont },
              fontSize: { value: size },
              fill: [{ test: "datum.isStrong", value: colours.onStrongCell }, { value: colours.onPaleCell }],
            },
          },
        },
      ],
    },
  );
}

/** Numbers on a scale, shown as names. */
function labelled(names: readonly string[]) {
  const list = JSON.stringify(names);
  return { encode: { labels: { update: { text: { signal: `${list}[datum.value]` } } } } };
}

/** The classes to show, in their order. */
function shownClasses(confusion: readonly (readonly number[])[]): readonly number[] {
  const all = confusion.map((_, c) => c);
  if (all.length <= SHOWN_CLASSES) return all;
  const mistakes = all.map((c) =>
    all.reduce(
      (sum, other) => sum + (other === c ? 0 : (confusion[c]?.[other] ?? 0) + (confusion[other]?.[c] ?? 0)),
      0,
    ),
  );
  return all
    .toSorted((a, b) => (mistakes[b] as number) - (mistakes[a] as number))
    .slice(0, SHOWN_CLASSES)
    .sort((a, b) => a - b);
}
