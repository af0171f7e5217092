/** `alexnet runs`. */
import type { Command } from "commander";
import { formatRunTable } from "../report/tables/runTable.ts";
import { listRuns } from "../runs/runState.ts";
import { jsonOption } from "./options.ts";
import { print, printJson, tell } from "./output.ts";

const examples = `
Examples:
  alexnet runs            the runs in runs/
  alexnet runs old-runs   those in another folder
  alexnet runs --json     everything about them, for a program

States: running; finished; interrupted (--resume goes on with it); diverged;
imported (weights only: alexnet import made it).
Best and last: accuracy on the images that training is watched by.
`;

export function addRuns(program: Command): void {
  program
    .command("runs")
    .description("list runs: state, network, data set, best and last accuracy")
    .argument("[dir]", "folder of run directories", "runs")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(runs);
}

async function runs(folder: string, { json }: { readonly json?: boolean }): Promise<void> {
  const found = await listRuns(folder);
  if (json) printJson(found);
  else if (found.length > 0) print(formatRunTable(found));
  else tell(`${folder}: no runs in it; alexnet train makes one`);
}
