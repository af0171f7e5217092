import type { Command } from "commander";
import { listRuns } from "../classifier/runOverview.ts";
import { formatRunList } from "../report/runTables.ts";
import { jsonOption } from "./options.ts";
import { print, printJson, tell } from "./output.ts";

const examples = `
Examples:
  alexnet runs             those in runs/
  alexnet runs experiments --json

Best is the highest accuracy so far on the pictures that training is watched by.
Two or more side by side: alexnet compare.
`;

/** Adds `alexnet runs`. */
export function addRuns(program: Command): void {
  program
    .command("runs")
    .description("list runs with their state and best figures, the latest last")
    .argument("[folder]", "a folder of run directories", "runs")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(runs);
}

async function runs(folder: string, { json }: { readonly json?: boolean }): Promise<void> {
  const { runs: found, problems } = await listRuns(folder);
  for (const problem of problems) tell(`alexnet: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
  if (json) printJson(found.map(({ config, log, ...figures }) => figures));
  else print(found.length === 0 ? `${folder}: no runs in it` : formatRunList(found));
}
