/** A comparison as files. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { explainingWrites, writeFileDurably } from "../checkpoint/durable.ts";
import { comparedMeasures, drawComparison } from "../report/charts/comparisonChart.ts";
import { renderComparison } from "../report/pages/comparisonPage.ts";
import type { Comparison } from "../report/tables/comparison.ts";
import { writeChart } from "./chartFiles.ts";

/**
 * Writes a comparison into a folder, which is made if there is none: compare.html, and each of its charts as SVG and PNG. Returns the
 * path of the page. Throws CheckpointError if they cannot be written.
 */
export async function writeComparison(folder: string, comparison: Comparison): Promise<string> {
  await explainingWrites(folder, () => mkdir(folder, { recursive: true }));
  const charts = [];
  for (const [name, measure] of Object.entries(comparedMeasures)) {
    const svg = await drawComparison(comparison.runs, measure);
    await writeChart(folder, { name: `compare-${name}`, svg });
    charts.push({ heading: measure.title, description: "Against epoch, a line for each run.", svg });
  }
  const page = join(folder, "compare.html");
  await writeFileDurably(page, renderComparison(comparison, charts));
  return page;
}
