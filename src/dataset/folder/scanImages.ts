/** Scan of an image folder in any layout: labels in a table, or a folder per class. */
import { resolve } from "node:path";
import { DataError } from "../../errors.ts";
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
  { labels, imageColumn, labelColumn, splitColumn }: LayoutOptions,
  signal?: AbortSignal,
): Promise<FolderScan> {
  const columns = { imageColumn, labelColumn, splitColumn };
  if (labels !== undefined) return scanTables(folder, { tables: [labels], ...columns }, signal);
  const tables = await findMetadata(resolve(folder));
  if (tables.length === 0) return scanFolder(folder, signal);
  const scan = await scanFolder(folder, signal).catch(unlessData);
  if (!scan || !hasClassFolders(scan)) return scanTables(folder, { tables, ...columns }, signal);
  const note = `class folders give the labels; to use ${firstNames(tables)} instead, add --labels ${tables[0]}`;
  return { ...scan, notes: [note] };
}

function unlessData(error: unknown): undefined {
  if (!(error instanceof DataError)) throw error;
}

function hasClassFolders({ parts: [training] }: FolderScan): boolean {
  return (training?.classes.filter(({ images }) => images.length > 0).length ?? 0) >= 2;
}
