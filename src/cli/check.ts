/** `alexnet check`. */
import type { Command } from "commander";
import type { FolderCheck } from "../dataset/folder/folderCheck.ts";
import { formatCheck } from "../report/tables/datasetCheck.ts";
import { jsonOption } from "./options.ts";
import { imageProgress, print, printJson, unicodeOutput } from "./output.ts";
import { onStopSignals } from "./signals.ts";

const examples = `
Examples:
  alexnet check photos          all that is wrong with a folder of pictures
  alexnet check photos --json

The folder holds a folder for each class, directly or in its folders train, val
and test. Every picture is read and decoded; nothing is written. Exit code 1 if
training would be affected.
`;

/** Adds `alexnet check`. */
export function addCheck(program: Command): void {
  program
    .command("check")
    .description("look for what is wrong with a folder of pictures before training on it")
    .argument("<dir>", "folder of pictures, a folder for each class")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(check);
}

async function check(dir: string, { json }: { readonly json?: boolean }): Promise<void> {
  const result = await checkWithProgress(dir);
  if (json) printJson(result);
  else print(formatCheck(result, { unicode: unicodeOutput() }));
  if (result.affectsTraining) process.exitCode = 1;
}

/** Decoders are loaded here, so that the other commands start without them. */
async function checkWithProgress(dir: string): Promise<FolderCheck> {
  const { scanFolder } = await import("../dataset/folder/folderScan.ts");
  const { checkFolder } = await import("../dataset/folder/folderCheck.ts");
  const { examine } = await import("../dataset/folder/examine.ts");
  const line = imageProgress("check");
  // There is nothing to save, but the terminal gets its cursor back at a regular end only.
  const stop = onStopSignals(() => process.exit(stop.exitCode()));
  try {
    const scan = await scanFolder(dir);
    return await checkFolder(scan, { examine, onProgress: line.update });
  } finally {
    line.clear();
    stop.end();
  }
}
