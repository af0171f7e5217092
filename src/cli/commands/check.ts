/** `alexnet check`. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { FolderCheck } from "../../dataset/folder/folderCheck.ts";
import { jsonOption } from "../options.ts";
import { print, printError, printJson, unicodeOutput } from "../output.ts";
import { imageProgress } from "../progress.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec } from "../spec.ts";
import { type TableFlags, tableOptions } from "../trainingOptions.ts";

export const check: CommandSpec = {
  arguments: [{ name: "<dir>", help: "image folder, or archive of one (.zip, .tar, .tar.gz)" }],
  options: [...tableOptions, jsonOption],
  examples: [
    ["alexnet check photos", "every problem of an image folder"],
    ["alexnet check photos --labels labels.csv", "images and rows, compared"],
    ["alexnet check photos.zip"],
    ["alexnet check photos --json"],
  ],
  notes: `
The folder contains a folder per class, directly or in its folders train, val
and test; or images in any folders, with a table of labels. Reads and decodes
every image; writes nothing. Exit code 1 if a problem affects training.`,
  run: checkImages,
};

interface CheckFlags extends TableFlags {
  readonly json?: boolean;
}

async function checkImages(dir: string, { json, ...table }: CheckFlags): Promise<void> {
  const result = await checkWithProgress(dir, table);
  if (json) printJson(result);
  else {
    const { formatCheck } = await import("../../report/tables/datasetCheck.ts");
    print(formatCheck(result, { unicode: unicodeOutput() }));
  }
  if (result.affectsTraining) process.exitCode = 1;
}

async function checkWithProgress(dir: string, table: TableFlags): Promise<FolderCheck> {
  const { scanImages } = await import("../../dataset/folder/scanImages.ts");
  const { isArchiveName, unpackedArchive } = await import("../../dataset/folder/archiveSource.ts");
  const { checkFolder } = await import("../../dataset/folder/folderCheck.ts");
  const { examine } = await import("../../dataset/folder/examine.ts");
  const line = imageProgress("check");
  // Nothing to save, but only a regular exit restores the terminal's cursor.
  const stop = onStopSignals(() => process.exit(stop.exitCode()));
  try {
    const isArchive = isArchiveName(dir) && existsSync(dir) && statSync(dir).isFile();
    const folder = isArchive ? await unpackedArchive(dir, {}) : dir;
    const scan = await scanImages(folder, table);
    for (const note of scan.notes ?? []) printError(note);
    const result = await checkFolder(scan, { examine, onProgress: line.update });
    return isArchive ? { ...result, root: resolve(dir) } : result;
  } finally {
    line.clear();
    stop.end();
  }
}
