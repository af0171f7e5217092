/** `alexnet compare`. */
import { jsonOption } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import type { CommandSpec } from "../spec.ts";

export const compare: CommandSpec = {
  arguments: [{ name: "<run...>", help: "two or more run directories" }],
  options: [
    { flags: "--output <dir>", help: "also write compare.html and its charts, as SVG and PNG, to this directory" },
    jsonOption,
  ],
  examples: [
    ["alexnet compare runs/a runs/b", "figures, curves, differences"],
    ["alexnet compare runs/a runs/b --output plots/", "also as charts and a web page"],
    ["alexnet compare runs/* --json", "for a program"],
  ],
  notes: `
Each run is named by a letter, in the order given. Each further run is tested
against the first on the images of both (McNemar). Runs that differ only in
--seed have mean ± deviation.`,
  run: comparePaths,
};

interface CompareFlags {
  readonly output?: string;
  readonly json?: boolean;
}

async function comparePaths(runs: readonly string[], { output, json }: CompareFlags): Promise<void> {
  const { compareRuns } = await import("../../runs/compareRuns.ts");
  const comparison = await compareRuns(runs);
  if (json) printJson({ ...comparison, runs: comparison.runs.map(({ log: _log, ...run }) => run) });
  else {
    const { formatComparison } = await import("../../report/tables/comparison.ts");
    print(formatComparison(comparison));
  }
  if (output === undefined) return;
  const { writeComparison } = await import("../../runs/chartFiles.ts");
  printError(`wrote ${await writeComparison(output, comparison)}`);
}
