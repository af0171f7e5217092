import { extname } from "node:path";
import type { Command } from "commander";
import { compareSettings } from "../classifier/compareRuns.ts";
import { readRun } from "../classifier/runOverview.ts";
import { comparisonSections, signedName } from "../report/runTables.ts";
import { formatSections } from "../report/sections.ts";
import { jsonOption } from "./options.ts";
import { print, printJson } from "./output.ts";

interface CompareFlags {
  readonly output?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet compare runs/a runs/b                         figures and settings
  alexnet compare runs/* --output curves.png            curves over one another
  alexnet compare runs/* --output comparison.html       all of it as a page
`;

/** Adds `alexnet compare`. */
export function addCompare(program: Command): void {
  program
    .command("compare")
    .description("show runs side by side: figures, settings that differ, curves")
    .argument("<run...>", "run directories")
    .option("--output <file>", "also write curves (.png, .svg) or a page with all of it (.html)")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(compare);
}

async function compare(directories: readonly string[], { output, json }: CompareFlags): Promise<void> {
  const { requireEnding, writeDrawing } = await import("./pictureFile.ts");
  if (output !== undefined) requireEnding(output, [".png", ".svg", ".html"]);
  const runs = await Promise.all(directories.map(readRun));
  const compared = compareSettings(runs);
  const sections = comparisonSections(runs, compared);
  if (output !== undefined) {
    const { drawComparison } = await import("../report/compareCurves.ts");
    const svg = await drawComparison(runs.map(({ name, log }, i) => ({ name: signedName(name, i), log })));
    if (extname(output).toLowerCase() === ".html") {
      const { comparisonPage } = await import("../report/comparePage.ts");
      const { writeFileDurably } = await import("../checkpoint/durable.ts");
      await writeFileDurably(output, comparisonPage(sections, svg));
    } else await writeDrawing(output, svg);
  }
  if (json) printJson({ runs: runs.map(({ config, log, ...figures }) => figures), ...compared });
  else print(formatSections(sections));
}
