/** Reliability diagram: accuracy against confidence. */
import type { Calibration } from "../../training/evaluation/calibration.ts";
import { formatCount, formatPercent } from "../numbers.ts";
import { colours } from "../theme.ts";
import { axisStyle, drawChart, percentLabels } from "./chart.ts";

/**
 * Draws accuracy against confidence as SVG. On the dashed line they are equal; below it the network is overconfident. The area of a point
 * is its fraction of the images.
 */
export function drawCalibration({ error, bins }: Calibration, title: string): Promise<string> {
  const all = bins.reduce((sum, { images }) => sum + images, 0);
  const values = bins.flatMap(({ images, confidence, accuracy }) => {
    if (confidence === null || accuracy === null) return [];
    const says = `${formatCount(images)} images\nprobability ${formatPercent(confidence)}\nright ${formatPercent(accuracy)}`;
    return [{ confidence, accuracy, fraction: images / all, says }];
  });
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
          grid: true,
          ...percentLabels(),
        },
        { ...axisStyle, orient: "left", scale: "y", title: "fraction that is right", grid: true, ...percentLabels() },
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
              size: { scale: "size", field: "fraction" },
              fill: { value: colours.blue },
              fillOpacity: { value: 0.6 },
              description: { field: "says" },
              stroke: { value: colours.blue },
            },
          },
        },
      ],
    },
  );
}
