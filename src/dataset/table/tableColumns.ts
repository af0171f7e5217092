/** Columns of a table of labels: images, labels and splits, as given or as far as they are plain. */
import { DataError } from "../../errors.ts";
import { didYouMean } from "../../suggest.ts";
import { quotedName } from "../folder/classNames.ts";
import { hasImageName } from "../folder/imageNames.ts";
import { partOf } from "../folder/partFolders.ts";
import { type ImageIndex, type PathBase, placedPath } from "./imageIndex.ts";
import {
  indicatorColumns,
  isIndicator,
  type LabelCells,
  listedLabels,
  separatedLabels,
  singleLabel,
} from "./labelCells.ts";
import { isSplitName, plain } from "./splitName.ts";
import type { Table } from "./tableFile.ts";

/** Names of the columns of a table. */
export interface ColumnNames {
  readonly imageColumn?: string | undefined;
  readonly labelColumn?: string | undefined;
  readonly splitColumn?: string | undefined;
  /** Separator of several labels in a cell. */
  readonly labelSeparator?: string | undefined;
  /** Columns of 0 and 1, one for each label. */
  readonly labelColumns?: readonly string[] | undefined;
  readonly groupColumn?: string | undefined;
}

/** Indices of the columns, and the folder that paths are relative to. */
export interface TableColumns {
  readonly image: number;
  readonly labels: LabelCells;
  readonly split: number | undefined;
  readonly group: number | undefined;
  readonly base: PathBase;
  /** One line for people. */
  readonly note: string;
}

/** Names in lower case, without separators. The first ones are preferred. */
const imageNames =
  "filename file filepath path image imagename imageid imagefile imagepath img imgname imgid imgfile imgpath photo fname name id".split(
    " ",
  );
const labelNames = "label labels class classname classlabel labelname category categoryname target y".split(" ");

/**
 * Chooses the columns of a table. A column that is not named is guessed only if it is plain: the one whose cells name images of the folder; the one
 * called like a label, or the only one left, or all that are left if they contain only 0 and 1; the one called like a split.
 *
 * Throws DataError if a named column does not exist, or a column must be named.
 */
export function columnsOf(
  table: Table,
  index: ImageIndex,
  bases: readonly PathBase[],
  names: ColumnNames,
): TableColumns {
  const { columns } = table;
  const { imageColumn, labelColumn, splitColumn, labelColumns } = names;
  const { image, base } = imageColumnOf(table, index, bases, columnNamed(table, imageColumn, "--image-column"));
  const header = columns[image] as string;
  if (hasImageName(header.trim()) || isFound(index, header, base)) {
    throw new DataError(
      `${table.path}: row 1: expected the names of columns, got the image ${quotedName(header)}; add a header`,
    );
  }
  const split = columnNamed(table, splitColumn, "--split-column") ?? splitColumnOf(table, image);
  const group = columnNamed(table, names.groupColumn, "--group-column");
  const labels = labelsOf(table, [image, split, group], names);
  const name = (column: number) => quotedName(columns[column] as string);
  const folder = "below" in base && base.below !== "" ? ` in ${base.below}` : "";
  const parts = [`images from column ${name(image)}${folder}`, `labels from ${labels.note}`];
  if (split !== undefined) parts.push(`splits from ${name(split)}`);
  if (group !== undefined) parts.push(`groups from ${name(group)}`);
  const isGuessed =
    imageColumn === undefined ||
    (labelColumn ?? labelColumns) === undefined ||
    (split !== undefined && splitColumn === undefined);
  const remedy = isGuessed ? " (choose others with --image-column, --label-column, --split-column)" : "";
  return { image, labels, split, group, base, note: `${parts.join(", ")}${remedy}` };
}

function columnNamed({ path, columns }: Table, name: string | undefined, flag: string): number | undefined {
  if (name === undefined) return undefined;
  const same = columns.flatMap((column, i) => (column === name ? [i] : []));
  if (same.length === 1) return same[0];
  const trimmed = columns.flatMap((column, i) => (column.trim() === name.trim() ? [i] : []));
  if (same.length === 0 && trimmed.length === 1) return trimmed[0];
  const got = same.length > 1 ? `${same.length} of them` : `${listed(columns)}${didYouMean(name, columns)}`;
  throw new DataError(`${path}: expected a column ${quotedName(name)} (${flag}), got ${got}`);
}

const LISTED = 10;

function listed(columns: readonly string[]): string {
  const names = columns.slice(0, LISTED).map(quotedName).join(", ");
  return columns.length > LISTED ? `${names} and ${columns.length - LISTED} more` : names;
}

interface Fit {
  readonly image: number;
  readonly base: PathBase;
  readonly count: number;
}

/** The column and the folder by which most of the first rows name images; a preferred name wins a tie. */
function imageColumnOf(
  table: Table,
  index: ImageIndex,
  bases: readonly PathBase[],
  given: number | undefined,
): Pick<Fit, "image" | "base"> {
  const columns =
    given === undefined ? [...table.columns.keys()].sort((a, b) => rank(table, a) - rank(table, b)) : [given];
  let best: Fit | undefined;
  for (const image of columns) {
    const texts = table.sample.map(({ cells }) => cells[image] as string);
    const found = bestBase(texts, image, index, bases);
    if (found.count > (best?.count ?? 0)) best = found;
    if (best?.count === texts.length) break;
  }
  if (best) return best;
  const [first] = columns;
  const base = bases[0] as PathBase;
  if (first !== undefined && (given !== undefined || rank(table, first) < imageNames.length))
    return { image: first, base };
  throw new DataError(
    `${table.path}: expected a column of image files, got ${listed(table.columns)}; name it with --image-column`,
  );
}

function rank({ columns }: Table, column: number): number {
  const at = imageNames.indexOf(plain(columns[column] as string));
  return at < 0 ? imageNames.length : at;
}

/** The folder by which most texts name images: one that paths are relative to, or else the only one that fits the most, and at least half. */
function bestBase(texts: readonly string[], image: number, index: ImageIndex, bases: readonly PathBase[]): Fit {
  const fits = (base: PathBase): Fit => ({
    image,
    base,
    count: texts.filter((text) => isFound(index, text, base)).length,
  });
  let best = fits(bases[0] as PathBase);
  for (const base of bases.slice(1)) if (fits(base).count > best.count) best = fits(base);
  if (best.count > 0) return best;
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const folder of index.foldersOf(text.trim().replaceAll("\\", "/")))
      counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  let most = 0;
  for (const count of counts.values()) most = Math.max(most, count);
  const folders = [...counts].filter(([, count]) => count === most && 2 * count >= texts.length);
  return folders.length === 1 ? fits({ below: folders[0]?.[0] as string }) : best;
}

function isFound(index: ImageIndex, text: string, base: PathBase): boolean {
  const path = placedPath(text.trim(), base);
  return path !== undefined && index.find(path) !== undefined;
}

/** A column called like a split whose first cells are names of parts; one called `split` in any case. */
function splitColumnOf({ columns, sample }: Table, image: number): number | undefined {
  const called = [...columns.keys()].filter((column) => column !== image && isSplitName(columns[column] as string));
  const sure = called.filter((column) => plain(columns[column] as string) === "split");
  const plainOnes = called.filter((column) =>
    sample.every(({ cells }) => partOf((cells[column] as string).trim()) !== undefined),
  );
  return (plainOnes.length > 0 ? plainOnes : sure)[0];
}

/** Cells of labels: columns of 0 and 1, or one column, whose cells have one label, several between separators, or lists. */
function labelsOf(
  table: Table,
  taken: readonly (number | undefined)[],
  { labelColumn, labelColumns, labelSeparator }: ColumnNames,
): LabelCells {
  if (labelColumns !== undefined) {
    const other = Object.entries({ "--label-column": labelColumn, "--label-separator": labelSeparator });
    const given = other.find(([, value]) => value !== undefined);
    if (given) throw new DataError(`${table.path}: --label-columns cannot be combined with ${given[0]}; remove one`);
    const all = labelColumns.map((name) => columnNamed(table, name, "--label-columns") as number);
    return indicatorColumns(table, all);
  }
  const named = columnNamed(table, labelColumn, "--label-column");
  const column = named ?? labelColumnOf(table, taken, labelSeparator === undefined);
  if (typeof column !== "number") return indicatorColumns(table, column);
  if (labelSeparator !== undefined) return separatedLabels(table, column, labelSeparator);
  return listedLabels(table, column) ?? singleLabel(table, column);
}

/** The column called like a label, or the only one left; or all that are left, if they contain only 0 and 1. */
function labelColumnOf(
  table: Table,
  taken: readonly (number | undefined)[],
  mayBeSeveral: boolean,
): number | readonly number[] {
  const { path, columns } = table;
  const left = [...columns.keys()].filter((column) => !taken.includes(column));
  const called = left.filter((column) => labelNames.includes(plain(columns[column] as string)));
  const chosen = called.length > 0 ? called : left;
  if (chosen.length === 1) return chosen[0] as number;
  const isIndicators = called.length === 0 && left.length > 0 && left.every((column) => isIndicator(table, column));
  if (mayBeSeveral && isIndicators) return left;
  const names = listed((chosen.length === 0 ? [...columns.keys()] : chosen).map((column) => columns[column] as string));
  throw new DataError(
    `${path}: expected one column of labels, got ${names}; name it with --label-column, or columns of 0 and 1 with --label-columns`,
  );
}
