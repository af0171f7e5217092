/** Charts as files. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { evaluationCharts } from "../report/charts/evaluationCharts.ts";
import { toPng } from "../report/figures/png.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";

/** Writes a chart into a directory, as `name.svg` and `name.png`. */
export async function writeChart(
  directory: string,
  { name, svg }: { readonly name: string; readonly svg: string },
): Promise<void> {
  await writeFileDurably(join(directory, `${name}.svg`), svg);
  await writeFileDurably(join(directory, `${name}.png`), toPng(svg));
}

/** Writes the charts of an evaluation into a directory, which is made if there is none. `title`: what was measured. */
export async function writeEvaluationCharts(directory: string, evaluation: Evaluation, title: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const chart of await evaluationCharts(evaluation, title)) await writeChart(directory, chart);
}
