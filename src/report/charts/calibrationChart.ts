/** Reliability diagram: accuracy against confidence. */
import type { Calibration } from "../../training/evaluation/calibration.ts";
import { formatPercent } from "../numbers.ts";
import { colours } from "../theme.ts";
import { axisStyle, drawChart } from "./chart.ts";

/**
 * Draws how often predictions are right against how sure they are, as SVG: on the dashed line the two are the same, below it the network is too sure.
 * The area of a point is its share of the pictures.
 */
export function drawCalibration({ error, bins }: Calibration, title: string): Promise<string> {
  const all = bins.reduce((sum, { images }) => sum + images, 0);
  const values = bins.flatMap(({ images, confidence, accuracy }) =>
    confidence === null ? [] : [{ confidence, accuracy, share: images / all }],
  );
  const position = { x: { scale: "x", field: "confidence" }, y: { scale: "y", field: "accuracy" } };
  return drawChart(
    {
      title: `Calibration, error ${formatPercent(error)}: ${title}`,
      width: 400,
      height: 400,
      left: 80,
      right: 60,
      bottom: 60,
    },
    {
      data: [
        { name: "bins", values },
        { name: "ideal", values: [{ at: 0 }, { at: 1 }] },
      ],
      scales: [
        { name: "x", type: "linear", range: "width", domain: [0, 1] },
        { name: "y", type: "linear", range: "height", domain: [0, 1] },
        { name: "size", type: "linear", domain: [0, 1], range: [30, 1500] },
      ],
      axes: [
        {
          ...axisStyle,
          orient: "bottom",
          scale: "x",
          title: "probability of the class predicted",
          format: ".0%",
          grid: true,
        },
        { ...axisStyle, orient: "left", scale: "y", title: "share that is right", format: ".0%", grid: true },
      ],
      marks: [
        {
          type: "line",
          name: "ideal-line",
          from: { data: "ideal" },
          encode: {
            enter: {
              x: { scale: "x", field: "at" },
              y: { scale: "y", field: "at" },
              stroke: { value: colours.rule },
              strokeDash: { value: [5, 4] },
            },
          },
        },
        {
          type: "line",
          name: "calibration-line",
          from: { data: "bins" },
          encode: { enter: { ...position, stroke: { value: colours.blue }, strokeWidth: { value: 2 } } },
        },
        {
          type: "symbol",
          name: "calibration-points",
          from: { data: "bins" },
          encode: {
            enter: {
              ...position,
              size: { scale: "size", field: "share" },
              fill: { value: colours.blue },
              fillOpacity: { value: 0.6 },
              stroke: { value: colours.blue },
            },
          },
        },
      ],
    },
  );
}
