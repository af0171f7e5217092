/** `alexnet check`. */
import type { FolderCheck } from "../../dataset/folder/folderCheck.ts";
import { jsonOption } from "../options.ts";
import { print, printJson, unicodeOutput } from "../output.ts";
import { imageProgress } from "../progress.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";

export const check: CommandSpec = {
  arguments: [{ name: "<dir>", help: "image folder, containing a folder per class" }],
  options: [jsonOption],
  examples: [["alexnet check photos", "every problem of an image folder"], ["alexnet check photos --json"]],
  notes: `
The folder contains a folder per class, directly or in its folders train, val
and test. Reads and decodes every image; writes nothing. Exit code 1 if a
problem affects training.`,
  run: checkImages,
};

async function checkImages(dir: string, { json }: { readonly json?: boolean }): Promise<void> {
  const result = await checkWithProgress(dir);
  if (json) printJson(result);
  else {
    const { formatCheck } = await import("../../report/tables/datasetCheck.ts");
    print(formatCheck(result, { unicode: unicodeOutput() }));
  }
  if (result.affectsTraining) process.exitCode = 1;
}

async function checkWithProgress(dir: string): Promise<FolderCheck> {
  const { scanFolder } = await import("../../dataset/folder/folderScan.ts");
  const { checkFolder } = await import("../../dataset/folder/folderCheck.ts");
  const { examine } = await import("../../dataset/folder/examine.ts");
  const line = imageProgress("check");
  // Nothing to save, but only a regular exit restores the terminal's cursor.
  const stop = onStopSignals(() => process.exit(stop.exitCode()));
  try {
    const scan = await scanFolder(dir);
    return await checkFolder(scan, { examine, onProgress: line.update });
  } finally {
    line.clear();
    stop.end();
  }
}
