/** An image folder whose labels are in a table: the same result as the scan of class folders. */
import { basename, resolve } from "node:path";
import { quotedName } from "../folder/classNames.ts";
import { byCodePoint, sortedByPath } from "../folder/codePoints.ts";
import { dataFile } from "../folder/dataFile.ts";
import type { FileEntry } from "../folder/folderEntries.ts";
import { type FolderScan, requireFolder, type ScannedPart } from "../folder/folderScan.ts";
import { searchAll } from "../folder/folderSearch.ts";
import { type PartName, partOf } from "../folder/partFolders.ts";
import type { SkippedFile, SkipReason } from "../folder/skippedFile.ts";
import { cellProblem } from "./cellProblem.ts";
import { type ImageIndex, indexImages, type PathBase, placedPath } from "./imageIndex.ts";
import { labelFindings } from "./labelTexts.ts";
import { type ColumnNames, columnsOf, type TableColumns } from "./tableColumns.ts";
import { openTable, type Table, type TableRow } from "./tableFile.ts";
import { basesOf, pathBelow } from "./tablePaths.ts";

/** Tables of labels, and their columns. */
export interface TableOptions extends ColumnNames {
  /** Paths of tables: absolute, in the working directory, or in the folder of the images. */
  readonly tables: readonly string[];
}

/** Scans an image folder by the rows of tables. Throws DataError if a table is unreadable or its columns are not plain. */
export async function scanTables(folder: string, options: TableOptions, signal?: AbortSignal): Promise<FolderScan> {
  const root = resolve(folder);
  await requireFolder(folder, root);
  const paths = options.tables.map((path) => dataFile(root, path, "a table of labels"));
  const { images, skipped } = await searchAll(root, signal);
  const own = new Set(paths.map((path) => pathBelow(root, path)));
  const isTable = (path: string) => own.has(path);
  const index = indexImages(images.filter(({ path }) => !isTable(path)));
  const rows = createLabelledRows(index);
  const notes: string[] = [];
  for (const path of paths) {
    const table = await openTable(path, signal);
    const columns = columnsOf(table, index, basesOf(root, path), options);
    notes.push(`${nameIn(root, path)}: ${columns.note}`);
    const nameOf = (row: number, column?: number) => placeName(root, table, row, column);
    for await (const row of table.rows()) rows.add(row, columns, nameOf);
  }
  const { parts, groups, problems, count, notes: ofLabels } = rows.result();
  return {
    root,
    parts,
    ...(groups.size > 0 ? { groups } : {}),
    skipped: [...problems, ...sortedByPath(skipped.filter(({ path }) => !isTable(path)))],
    rows: count,
    notes: [...notes, ...ofLabels],
  };
}

/** Path of a table in the folder; its name if it is elsewhere. */
function nameIn(root: string, path: string): string {
  return pathBelow(root, path) ?? basename(path);
}

/** `labels.csv, row 5, column "breed"`. */
function placeName(root: string, { path, columns }: Table, row: number, column: number | undefined): string {
  return `${nameIn(root, path)}, row ${row}${column === undefined ? "" : `, column ${quotedName(columns[column] as string)}`}`;
}

/** An image with its labels, and the row of both. */
interface LabelledImage {
  readonly image: FileEntry;
  /** One object per distinct list; sorted. */
  readonly labels: readonly string[];
  readonly group: string | undefined;
  readonly part: PartName;
  readonly row: number;
  readonly nameOf: (row: number, column?: number) => string;
}

/** Collects the images of rows, and the problems of rows. */
function createLabelledRows(index: ImageIndex) {
  const found = new Map<string, LabelledImage>();
  const labels = new Map<string, { readonly name: string; readonly first: string }>();
  const problems: SkippedFile[] = [];
  const lists = new Map<string, readonly string[]>();
  const named = new Set<string>();
  let count = 0;
  let [hasSplits, isMultiLabel] = [false, false];
  /** One object per distinct label. */
  const labelOf = (text: string, first: () => string) => {
    const known = labels.get(text) ?? { name: text.normalize("NFC"), first: first() };
    labels.set(text, known);
    return known.name;
  };
  const listOf = (texts: readonly string[], first: () => string) => {
    const names = texts.map((text) => labelOf(text, first)).sort(byCodePoint);
    const key = JSON.stringify(names);
    const list = lists.get(key) ?? names;
    lists.set(key, list);
    return list;
  };
  return {
    add({ row, cells }: TableRow, columns: TableColumns, nameOf: LabelledImage["nameOf"]) {
      count++;
      const report = (reason: SkipReason, detail: string, column?: number) =>
        void problems.push({ path: nameOf(row, column), reason, detail });
      const bad = badCell(cells, columns);
      if (bad) return report("badCell", bad.problem, bad.column);
      const texts = columns.labels.read(cells);
      if ("problem" in texts) return report("badCell", texts.problem, texts.column);
      isMultiLabel ||= columns.labels.isMultiLabel;
      for (const name of columns.labels.names) named.add(name);
      const text = cells[columns.image] as string;
      const image = imageOf(index, text, columns.base);
      if (image === undefined) return report("rowWithoutImage", `no image ${quotedName(text)}`, columns.image);
      if (image === "several")
        return report(
          "rowWithoutImage",
          `several images are called ${quotedName(text)}; add the extension`,
          columns.image,
        );
      const split = columns.split === undefined ? undefined : (cells[columns.split] as string);
      const part = split === undefined ? "whole" : partOf(split.trim());
      if (part === undefined)
        return report(
          "unknownSplit",
          `the split ${quotedName(split ?? "")}; expected train, val or test`,
          columns.split,
        );
      hasSplits ||= split !== undefined;
      const list = listOf(texts, () => nameOf(row, columns.labels.columns[0]));
      const group = columns.group === undefined ? undefined : (cells[columns.group] as string).trim().normalize("NFC");
      const before = found.get(image.path);
      const now = { image, labels: list, part, group, row, nameOf };
      if (!before) return void found.set(image.path, now);
      const earlier = `${image.path}, as ${before.nameOf(before.row)}`;
      const difference = differenceOf(now, before);
      if (difference === undefined) return report("repeatedRow", earlier);
      return report("contradictingRow", `${earlier}, but with ${difference}`);
    },
    result() {
      const rest = index.images.filter(({ path }) => !found.has(path));
      const unlisted = sortedByPath(rest).map(
        ({ path }): SkippedFile => ({ path, reason: "imageWithoutRow", detail: "no row" }),
      );
      const all = [...found.values()];
      const { byFolder, outside } = hasSplits ? { byFolder: undefined, outside: [] } : partFoldersOf(all);
      const left = new Set(outside);
      const used = left.size === 0 ? all : all.filter((each) => !left.has(each));
      const parts = partsOf(used, byFolder, isMultiLabel ? named : undefined);
      const rowsOutside = outside.map(
        ({ image, row, nameOf }): SkippedFile => ({
          path: nameOf(row),
          reason: "rowOutsideParts",
          detail: `${image.path} is next to the folders for training and testing`,
        }),
      );
      const groups = new Map(used.flatMap(({ image, group }) => (group === undefined ? [] : [[image.path, group]])));
      const notes =
        isMultiLabel && used.every((each) => each.labels.length === 1)
          ? ["each image has exactly one label; for one class per image, make one column of labels"]
          : [];
      const ofRows = [...problems, ...rowsOutside, ...labelFindings(labels)];
      return { parts, groups, problems: [...ofRows, ...unlisted], count, notes };
    },
  };
}

/** Difference of a row from an earlier one of the same image; undefined if there is none. */
function differenceOf(now: LabelledImage, before: LabelledImage): string | undefined {
  const labelsOf = ({ labels }: LabelledImage) =>
    labels.length === 1 ? `label ${quotedName(labels[0] as string)}` : `labels ${labels.map(quotedName).join(", ")}`;
  if (now.labels !== before.labels) return `${labelsOf(now)}, there ${labelsOf(before).replace(/^label /, "")}`;
  if (now.part !== before.part) return `split ${now.part}, there ${before.part}`;
  if (now.group === before.group) return undefined;
  return `group ${quotedName(now.group ?? "")}, there ${quotedName(before.group ?? "")}`;
}

function badCell(cells: readonly string[], { image, split, group }: TableColumns) {
  for (const column of [image, split, group]) {
    if (column === undefined) continue;
    const problem = cellProblem(cells[column] as string);
    if (problem !== undefined) return { column, problem };
  }
  return undefined;
}

/** The text as it is, or without spaces at its ends. */
function imageOf(index: ImageIndex, text: string, base: PathBase): FileEntry | "several" | undefined {
  const find = (each: string) => {
    const path = placedPath(each, base);
    return path === undefined ? undefined : index.find(path);
  };
  return find(text) ?? find(text.trim());
}

const partOrder: readonly PartName[] = ["whole", "train", "validation", "test"];

/** The part of an image by the first folder of its path; undefined for another folder. */
type PartByFolder = (image: LabelledImage) => PartName | undefined;

/**
 * The parts by folder, and the images outside them, if folders for parts count: every image is in one, and one of them is for training. If images are
 * outside, one of the folders must be for validation or testing, because `train` alone may be a class.
 */
function partFoldersOf(images: readonly LabelledImage[]): {
  readonly byFolder: PartByFolder | undefined;
  readonly outside: readonly LabelledImage[];
} {
  const byFolder: PartByFolder = ({ image: { path } }) => {
    const [first = "", ...rest] = path.split("/", 2);
    return partOf(rest.length === 0 ? "" : first);
  };
  const found = new Set(images.map(byFolder));
  const outside = found.has(undefined) ? images.filter((each) => byFolder(each) === undefined) : [];
  const isDivided = found.has("train") && (outside.length === 0 || found.has("test") || found.has("validation"));
  return isDivided ? { byFolder, outside } : { byFolder: undefined, outside: [] };
}

/** Images by part and class. */
function partsOf(
  images: readonly LabelledImage[],
  byFolder: PartByFolder | undefined,
  labelNames: ReadonlySet<string> | undefined,
): readonly ScannedPart[] {
  const parts = new Map<PartName, Map<string, FileEntry[]>>();
  const unlabelled = new Map<PartName, FileEntry[]>();
  for (const each of images) {
    const name = byFolder?.(each) ?? each.part;
    const classes =
      parts.get(name) ?? new Map([...(labelNames ?? [])].map((label): [string, FileEntry[]] => [label, []]));
    parts.set(name, classes);
    for (const label of each.labels) added(classes, label, each.image);
    if (each.labels.length === 0) added(unlabelled, name, each.image);
  }
  const named = partOrder.filter((name) => parts.has(name));
  if (named.length === 0) return [{ name: "whole", folder: "", classes: [] }];
  return named.map((name) => ({
    name,
    folder: name === "whole" ? "" : name,
    classes: [...(parts.get(name) as Map<string, FileEntry[]>)]
      .map(([className, of]) => ({ name: className, images: sortedByPath(of) }))
      .sort((a, b) => byCodePoint(a.name, b.name)),
    ...(labelNames ? { unlabelled: sortedByPath(unlabelled.get(name) ?? []) } : {}),
  }));
}

function added<K>(lists: Map<K, FileEntry[]>, key: K, image: FileEntry): void {
  const list = lists.get(key);
  if (list) list.push(image);
  else lists.set(key, [image]);
}
