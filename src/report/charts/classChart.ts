/** Precision and recall of each class. */
import type { Evaluation } from "../../training/evaluation/metrics.ts";
import { colours } from "../theme.ts";
import { axisLabel, axisStyle, drawChart } from "./chart.ts";

/** Of more classes only those with the lowest recall are shown. */
const SHOWN_CLASSES = 40;
const BAR = 22;

/** Draws precision and recall of each class as bars, as SVG. A class without images, or never predicted, has no bar there. */
export function drawClasses({ perClass }: Pick<Evaluation, "perClass">, title: string): Promise<string> {
  const isAll = perClass.length <= SHOWN_CLASSES;
  const shown = isAll
    ? perClass
    : perClass.toSorted((a, b) => (a.recall ?? 1) - (b.recall ?? 1)).slice(0, SHOWN_CLASSES);
  const names = shown.map(({ className }) => axisLabel(className));
  const values = shown.flatMap(({ precision, recall }, row) =>
    [
      { row, measure: "recall", value: recall },
      { row, measure: "precision", value: precision },
    ].filter(({ value }) => value !== null),
  );
  const what = isAll ? "Classes" : `${SHOWN_CLASSES} classes of ${perClass.length} with the lowest recall`;
  return drawChart(
    { title: `${what}: ${title}`, width: 460, height: BAR * shown.length, left: 170, right: 60, bottom: 60, top: 20 },
    {
      data: [{ name: "bars", values }],
      scales: [
        { name: "row", type: "band", range: "height", domain: names.map((_, i) => i), paddingInner: 0.25 },
        { name: "measure", type: "band", range: [0, 0.75 * BAR], domain: ["recall", "precision"] },
        { name: "value", type: "linear", range: "width", domain: [0, 1] },
        { name: "colour", type: "ordinal", domain: ["recall", "precision"], range: [colours.blue, colours.orange] },
      ],
      axes: [
        {
          ...axisStyle,
          orient: "left",
          scale: "row",
          encode: { labels: { update: { text: { signal: `${JSON.stringify(names)}[datum.value]` } } } },
        },
        { ...axisStyle, orient: "bottom", scale: "value", title: "share", format: ".0%", grid: true },
      ],
      legends: [
        {
          fill: "colour",
          orient: "none",
          direction: "horizontal",
          legendX: 0,
          legendY: -26,
          labelFont: axisStyle.labelFont,
          labelFontSize: axisStyle.labelFontSize,
          labelColor: axisStyle.labelColor,
          symbolType: "square",
        },
      ],
      marks: [
        {
          type: "rect",
          name: "measures",
          from: { data: "bars" },
          encode: {
            enter: {
              x: { scale: "value", value: 0 },
              x2: { scale: "value", field: "value" },
              y: { scale: "row", field: "row", offset: { scale: "measure", field: "measure" } },
              height: { scale: "measure", band: 1 },
              fill: { scale: "colour", field: "measure" },
            },
          },
        },
      ],
    },
  );
}
