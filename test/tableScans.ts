/** Scans of tables of labels and image files without content. */
import { scanTables, type TableOptions } from "../src/dataset/table/tableScan.ts";
import { type Files, withFolder } from "./pictureFolders.ts";

/** Images without content: a scan opens none that has the name of an image. */
export function images(...paths: readonly string[]): Files {
  return Object.fromEntries(paths.map((path) => [path, ""]));
}

/** Three images in one folder. */
export const flat = images("1.jpg", "2.jpg", "3.png");

/** Scans a folder of files with its tables of labels, `labels.csv` unless others are named. */
export function scan(files: Files, options: Partial<TableOptions> = {}) {
  return withFolder(files, (root) => scanTables(root, { tables: ["labels.csv"], ...options }));
}

/** Reason, place and detail of everything that a scan with this table as `labels.csv` skips. */
export async function problemsOf(table: string | Uint8Array, files: Files = flat, options: Partial<TableOptions> = {}) {
  const { skipped } = await scan({ ...files, "labels.csv": table }, options);
  return skipped.map(({ reason, path, detail }) => [reason, path, detail] as const);
}
