/** `alexnet compare`. */
import type { Command } from "commander";
import { formatComparison } from "../report/tables/comparison.ts";
import { compareRuns } from "../runs/compareRuns.ts";
import { jsonOption } from "./options.ts";
import { print, printJson, tell } from "./output.ts";

interface CompareFlags {
  readonly output?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet compare runs/a runs/b                  figures, curves, differences
  alexnet compare runs/a runs/b --output plots/  also as charts and a web page
  alexnet compare runs/* --json                  for a program

Each run is named by a letter, in the order given.
`;

export function addCompare(program: Command): void {
  program
    .command("compare")
    .description("runs side by side: accuracy, speed, parameters, curves, and the settings that differ")
    .argument("<run...>", "two run directories or more")
    .option("--output <dir>", "write compare.html and its charts, as SVG and PNG, into a folder")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(compare);
}

async function compare(runs: readonly string[], { output, json }: CompareFlags): Promise<void> {
  const comparison = await compareRuns(runs);
  if (json) printJson({ ...comparison, runs: comparison.runs.map(({ log: _log, ...run }) => run) });
  else print(formatComparison(comparison));
  if (output === undefined) return;
  const { writeComparison } = await import("../runs/chartFiles.ts");
  tell(`written: ${await writeComparison(output, comparison)}`);
}
