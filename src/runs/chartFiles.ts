/** Chart files: those of an evaluation, and a comparison with its page. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { explainingWrites, writeFileDurably } from "../checkpoint/durable.ts";
import { comparedMeasures, drawComparison } from "../report/charts/comparisonChart.ts";
import { evaluationCharts } from "../report/charts/evaluationCharts.ts";
import { toPng } from "../report/figures/png.ts";
import { renderComparison } from "../report/pages/comparisonPage.ts";
import type { Comparison } from "../report/tables/comparison.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";

/** Writes a chart into a directory, as `name.svg` and `name.png`. */
export async function writeChart(
  directory: string,
  { name, svg }: { readonly name: string; readonly svg: string },
): Promise<void> {
  await writeFileDurably(join(directory, `${name}.svg`), svg);
  await writeFileDurably(join(directory, `${name}.png`), toPng(svg));
}

/** Writes the charts of an evaluation into a directory, which is created if missing. `title` names the network and the data set. */
export async function writeEvaluationCharts(directory: string, evaluation: Evaluation, title: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const chart of await evaluationCharts(evaluation, title)) await writeChart(directory, chart);
}

/**
 * Writes a comparison into a folder, which is created if missing: compare.html, and each chart as SVG and PNG. Returns the path of the
 * page. Throws CheckpointError if they cannot be written.
 */
export async function writeComparison(folder: string, comparison: Comparison): Promise<string> {
  await explainingWrites(folder, () => mkdir(folder, { recursive: true }));
  const charts = [];
  for (const [name, measure] of Object.entries(comparedMeasures)) {
    const svg = await drawComparison(comparison.runs, measure);
    await writeChart(folder, { name: `compare-${name}`, svg });
    charts.push({ heading: measure.title, description: "Against epoch, one line per run.", svg });
  }
  const page = join(folder, "compare.html");
  await writeFileDurably(page, renderComparison(comparison, charts));
  return page;
}
