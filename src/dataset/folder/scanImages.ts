/** Scan of an image folder in any layout: labels in a table, or a folder per class. */
import { resolve } from "node:path";
import { DataError, UsageError } from "../../errors.ts";
import type { LayoutOptions } from "../dataset.ts";
import { findMetadata } from "../table/metadataFiles.ts";
import { scanTables } from "../table/tableScan.ts";
import { type FolderScan, scanFolder } from "./folderScan.ts";
import { firstNames } from "./skippedFile.ts";

/**
 * Scans an image folder. Labels come from the table `labels`; without one, from class folders; and from Hugging Face's metadata files if there are not
 * two classes in folders.
 *
 * Throws DataError like `scanFolder` and `scanTables`.
 */
export async function scanImages(
  folder: string,
  { labels, classes: _classes, classOrder: _order, ...columns }: LayoutOptions,
  signal?: AbortSignal,
): Promise<FolderScan> {
  if (labels !== undefined) return scanTables(folder, { tables: [labels], ...columns }, signal);
  const tables = await findMetadata(resolve(folder));
  if (tables.length === 0) {
    refuseColumns(folder, columns);
    return scanFolder(folder, signal);
  }
  const scan = await scanFolder(folder, signal).catch(unlessData);
  if (!scan || !hasClassFolders(scan)) return scanTables(folder, { tables, ...columns }, signal);
  refuseColumns(folder, columns);
  const note = `class folders give the labels; to use ${firstNames(tables)} instead, add --labels ${tables[0]}`;
  return { ...scan, notes: [note] };
}

/** Throws UsageError for options that would change the labels, if those come from class folders. */
function refuseColumns(folder: string, { labelSeparator, labelColumns, groupColumn }: LayoutOptions): void {
  const flags = { "--label-separator": labelSeparator, "--label-columns": labelColumns, "--group-column": groupColumn };
  const given = Object.entries(flags).find(([, value]) => value !== undefined);
  if (given) throw new UsageError(`${folder}: ${given[0]} applies to a table of labels; add --labels FILE`);
}

function unlessData(error: unknown): undefined {
  if (!(error instanceof DataError)) throw error;
}

function hasClassFolders({ parts: [training] }: FolderScan): boolean {
  return (training?.classes.filter(({ images }) => images.length > 0).length ?? 0) >= 2;
}
