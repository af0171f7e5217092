/** `alexnet runs`. */
import { jsonOption } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import type { CommandSpec } from "../spec.ts";

export const runs: CommandSpec = {
  arguments: [{ name: "[dir]", help: "folder of run directories", default: "runs" }],
  options: [jsonOption],
  examples: [
    ["alexnet runs", "the runs in runs/"],
    ["alexnet runs old-runs", "the runs in another folder"],
    ["alexnet runs --json", "every detail, for a program"],
  ],
  notes: `
States: running; finished; interrupted (resume with --resume); diverged;
imported (weights only, created by alexnet import).
Best and last: accuracy on the validation set, or on the test images if there is
none.`,
  run: printRuns,
};

async function printRuns(folder: string, { json }: { readonly json?: boolean }): Promise<void> {
  const { listRuns } = await import("../../runs/runState.ts");
  const found = await listRuns(folder);
  if (json) printJson(found);
  else if (found.length > 0) {
    const { formatRunTable } = await import("../../report/tables/runTable.ts");
    print(formatRunTable(found));
  } else printError(`${folder}: no runs; alexnet train creates one`);
}
