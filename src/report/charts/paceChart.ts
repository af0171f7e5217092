/** Chart of images per second and learning rate. */
import type { Mark, Scale } from "vega";
import { formatMagnitude } from "../numbers.ts";
import type { NamedChart } from "../pages/htmlParts.ts";
import { formatLearningRate } from "../tables/rateChart.ts";
import { colours } from "../theme.ts";
import { axisStyle, drawChart, learningRateLabels } from "./chart.ts";
import { collectSeries, collectTraining, lastOf, type Point, type Series } from "./curveSeries.ts";
import { hoverColumns, hoverMark } from "./hover.ts";

const [width, height] = [596, 340];

/** Fields of a log line that the chart needs. */
export interface PaceEntry {
  /** Passes through the training set so far, fractional. */
  readonly epoch: number;
  readonly learningRate: number;
  readonly examplesPerSecond: number;
  /** Present on lines of evaluations only, which hold means over a whole epoch. */
  readonly testAccuracy?: number;
}

/** Images per second and learning rate of a run. */
export interface Pace {
  readonly speed: Series;
  /** Corners of the learning rate's line. */
  readonly learningRate: Series;
}

/** Images per second and learning rate while the lines of a log arrive. */
export interface PaceCollector {
  add(entry: PaceEntry): void;
  pace(): Pace;
}

/** True if the learning rate changes with every step at an epoch, so that its line slopes; otherwise the line has steps. */
export type IsSmooth = (epoch: number) => boolean;

/** Collects images per second and learning rate in bounded memory. */
export function collectPace(isSmooth: IsSmooth): PaceCollector {
  const speed = collectTraining("images/s");
  const rate = collectSeries("learning rate", lastOf);
  return {
    add({ epoch, learningRate, examplesPerSecond, testAccuracy }) {
      speed.add(epoch, examplesPerSecond, testAccuracy !== undefined);
      rate.add(epoch, learningRate);
    },
    pace() {
      const learningRate = rate.series();
      return {
        speed: speed.series(),
        learningRate: { ...learningRate, points: cornersOf(learningRate.points, isSmooth) },
      };
    },
  };
}

/** Images per second and learning rate of a whole log. */
export function paceOf(entries: readonly PaceEntry[], isSmooth: IsSmooth): Pace {
  const collector = collectPace(isSmooth);
  for (const entry of entries) collector.add(entry);
  return collector.pace();
}

/** Corners of a line that steps to each new learning rate right after the line before, unless the rate changes smoothly. */
function cornersOf(points: readonly Point[], isSmooth: IsSmooth): readonly Point[] {
  return points.flatMap((point, i) => {
    const before = points[i - 1];
    const steps = before && before.value !== point.value && !isSmooth(point.epoch);
    return steps ? [{ epoch: before.epoch, value: point.value }, point] : [point];
  });
}

/** Charts of a log other than its curves; `title` names the network and the data set. */
export async function logCharts(
  log: readonly PaceEntry[],
  title: string,
  isSmooth: IsSmooth,
): Promise<readonly NamedChart[]> {
  if (log.length === 0) return [];
  const description = "Images per second, and the learning rate.";
  return [{ name: "pace", heading: "Pace", description, svg: await drawPace(paceOf(log, isSmooth), title) }];
}

/** Vertical ranges of images/s and, below it, of the learning rate, from the axis' lower end to its upper one. */
const ranges = { speed: [150, 0], learningRate: [height, 190] } as const;

/** Draws images/s and learning rate against epoch as SVG, one above the other. */
export function drawPace({ speed, learningRate }: Pace, title: string): Promise<string> {
  const points = [...speed.points, ...learningRate.points];
  const lastEpoch = 1.02 * (points.reduce((last, { epoch }) => Math.max(last, epoch), 0) || 1);
  const shown = [
    { series: speed, format: formatMagnitude },
    { series: learningRate, format: formatLearningRate },
  ];
  const hover = hoverMark(hoverColumns(shown, { width, lastEpoch }), height);
  return drawChart(
    { title: `Pace: ${title}`, width, height, left: 84, right: 40, bottom: 56 },
    {
      data: [
        { name: "images-per-second-points", values: [...speed.points] },
        { name: "learning-rate-points", values: [...learningRate.points] },
        hover.data,
      ],
      scales: scalesOf(learningRate, lastEpoch),
      axes: [
        { ...axisStyle, orient: "bottom", scale: "epoch", title: "epoch" },
        { ...leftAxis, scale: "pace", title: "images/s", tickCount: 5 },
        { ...leftAxis, scale: "rate", title: "learning rate", tickCount: 4, ...learningRateLabels },
      ],
      marks: [
        lineMark("images-per-second", "pace", speed, colours.blue),
        lineMark("learning-rate", "rate", learningRate, colours.orange),
        hover.mark,
      ],
    },
  );
}

const leftAxis = { ...axisStyle, orient: "left", grid: true, titleX: -66 } as const;

function scalesOf(learningRate: Series, lastEpoch: number): Scale[] {
  const rates = learningRate.points.map(({ value }) => value).filter((rate) => rate > 0);
  const [lowest, highest] = [Math.min(...rates, 1), Math.max(...rates, 0)];
  return [
    { name: "epoch", type: "linear", range: "width", domain: [0, lastEpoch] },
    {
      name: "pace",
      type: "linear",
      range: [...ranges.speed],
      domain: { data: "images-per-second-points", field: "value" },
      zero: true,
      nice: true,
    },
    {
      name: "rate",
      type: "log",
      range: [...ranges.learningRate],
      domain: rates.length > 0 ? [lowest / 2, highest * 2] : [0.001, 1],
    },
  ];
}

/** Line of a series. A series of one point has a symbol, because its line is invisible. */
function lineMark(name: string, scale: string, { points }: Series, colour: string): Mark {
  const isSingle = points.length === 1;
  return {
    type: isSingle ? "symbol" : "line",
    name,
    from: { data: `${name}-points` },
    encode: {
      enter: {
        x: { scale: "epoch", field: "epoch" },
        y: { scale, field: "value" },
        stroke: { value: colour },
        strokeWidth: { value: 2 },
        ...(isSingle ? { fill: { value: colour } } : {}),
      },
    },
  };
}
