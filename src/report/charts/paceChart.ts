/** Chart of images per second and learning rate. */
import type { NamedChart } from "../pages/htmlParts.ts";
import { colours } from "../theme.ts";
import { axisStyle, drawChart } from "./chart.ts";

/** Fields of a log line that the chart needs. */
export interface PaceEntry {
  /** Passes through the training set so far, fractional. */
  readonly epoch: number;
  readonly learningRate: number;
  readonly examplesPerSecond: number;
  /** Present on lines of evaluations only, which hold means over a whole epoch. */
  readonly testAccuracy?: number;
}

/** Charts of a log other than its curves; `title` names the network and the data set. */
export async function logCharts(log: readonly PaceEntry[], title: string): Promise<readonly NamedChart[]> {
  if (log.length === 0) return [];
  const description = "Images per second, and the learning rate.";
  return [{ name: "pace", heading: "Pace", description, svg: await drawPace(log, title) }];
}

/** Draws images/s and learning rate against epoch as SVG, one above the other. */
export function drawPace(entries: readonly PaceEntry[], title: string): Promise<string> {
  const fine = entries.filter((entry) => entry.testAccuracy === undefined);
  const values = (fine.length >= 2 ? fine : entries).map(({ epoch, learningRate, examplesPerSecond }) => ({
    epoch,
    learningRate,
    examplesPerSecond,
  }));
  const lastEpoch = values.reduce((last, { epoch }) => Math.max(last, epoch), 0) || 1;
  const rates = values.map(({ learningRate }) => learningRate).filter((rate) => rate > 0);
  const [lowest, highest] = [Math.min(...rates, 1), Math.max(...rates, 0)];
  const domain = rates.length > 0 ? [lowest / 2, highest * 2] : [0.001, 1];
  // A log of one entry has a point, not a line.
  const type = values.length === 1 ? ("symbol" as const) : ("line" as const);
  const line = (name: string, scale: string, field: string, colour: string) => ({
    type,
    name,
    from: { data: "entries" },
    encode: {
      enter: {
        x: { scale: "epoch", field: "epoch" },
        y: { scale, field },
        stroke: { value: colour },
        strokeWidth: { value: 2 },
        ...(type === "symbol" ? { fill: { value: colour } } : {}),
      },
    },
  });
  return drawChart(
    { title: `Pace: ${title}`, width: 596, height: 340, left: 84, right: 40, bottom: 56 },
    {
      data: [{ name: "entries", values }],
      scales: [
        { name: "epoch", type: "linear", range: "width", domain: [0, 1.02 * lastEpoch] },
        {
          name: "pace",
          type: "linear",
          range: [150, 0],
          domain: { data: "entries", field: "examplesPerSecond" },
          zero: true,
          nice: true,
        },
        { name: "rate", type: "log", range: [340, 190], domain },
      ],
      axes: [
        { ...axisStyle, orient: "bottom", scale: "epoch", title: "epoch" },
        { ...axisStyle, orient: "left", scale: "pace", title: "images/s", tickCount: 5, grid: true, titleX: -66 },
        {
          ...axisStyle,
          orient: "left",
          scale: "rate",
          title: "learning rate",
          format: ".1~e",
          tickCount: 4,
          grid: true,
          titleX: -66,
        },
      ],
      marks: [
        line("images-per-second", "pace", "examplesPerSecond", colours.blue),
        line("learning-rate", "rate", "learningRate", colours.orange),
      ],
    },
  );
}
