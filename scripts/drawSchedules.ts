/** Draws every learning-rate schedule, with a warm-up, to docs/schedules.svg: `node --import tsx scripts/drawSchedules.ts`. */
import { writeFile } from "node:fs/promises";
import type { Mark, Spec } from "vega";
import { axisStyle, chartFont, drawSpec, fontSize } from "../src/report/charts/chart.ts";
import { colours } from "../src/report/theme.ts";
import {
  advance,
  initialScheduleState,
  learningRateAt,
  type Schedule,
  scheduleNames,
  scheduleSchema,
} from "../src/training/schedule.ts";

const epochs = 30;
const perEpoch = 20;
const cell = { width: 220, height: 110, gap: 64 } as const;
const columns = 3;

/** Learning rate of every step, if the accuracy stops to improve after a third of the run. */
function ratesOf(schedule: Schedule): readonly { readonly epoch: number; readonly rate: number }[] {
  const recipe = { learningRate: 1, schedule, warmup: 2 };
  const total = epochs * perEpoch;
  let state = initialScheduleState;
  return Array.from({ length: total }, (_, steps) => {
    const done = steps / perEpoch;
    if (steps > 0 && Number.isInteger(done)) {
      state = advance(schedule, state, { done, total: epochs }, { testAccuracy: Math.min(done, epochs / 3) });
    }
    const position = { steps, schedule: state, rollbacks: { factor: 1 } };
    return { epoch: done, rate: learningRateAt(recipe, { perEpoch, total }, position) };
  });
}

function panel(kind: string, index: number): Mark {
  const data = `rates-${index}`;
  const text = { font: { value: chartFont }, fontSize: { value: fontSize }, fill: { value: colours.ink } };
  return {
    type: "group",
    encode: {
      enter: {
        x: { value: (index % columns) * (cell.width + cell.gap) },
        y: { value: Math.floor(index / columns) * (cell.height + cell.gap) },
        width: { value: cell.width },
        height: { value: cell.height },
      },
    },
    axes: [
      { ...axisStyle, orient: "bottom", scale: "epoch", tickCount: 3 },
      { ...axisStyle, orient: "left", scale: "rate", tickCount: 2 },
    ],
    marks: [
      { type: "text", encode: { enter: { ...text, x: { value: 0 }, y: { value: -10 }, text: { value: kind } } } },
      {
        type: "line",
        from: { data },
        encode: {
          enter: {
            x: { scale: "epoch", field: "epoch" },
            y: { scale: "rate", field: "rate" },
            stroke: { value: colours.blue },
            strokeWidth: { value: 2 },
          },
        },
      },
    ],
  };
}

const rows = Math.ceil(scheduleNames.length / columns);
const spec: Spec = {
  width: columns * cell.width + (columns - 1) * cell.gap,
  height: rows * cell.height + (rows - 1) * cell.gap,
  padding: { left: 48, right: 16, top: 40, bottom: 40 },
  autosize: "none",
  background: colours.background,
  data: scheduleNames.map((kind, index) => ({
    name: `rates-${index}`,
    values: [...ratesOf(scheduleSchema.parse({ kind }))],
  })),
  scales: [
    { name: "epoch", type: "linear", domain: [0, epochs], range: [0, cell.width] },
    { name: "rate", type: "linear", domain: [0, 1], range: [cell.height, 0] },
  ],
  marks: scheduleNames.map(panel),
};
await writeFile("docs/schedules.svg", `${await drawSpec(spec)}\n`);
