/** Cells of labels: one label, several in one cell, or a column of 0 and 1 for each label. */
import { DataError } from "../../errors.ts";
import { quotedName } from "../folder/classNames.ts";
import { cellProblem } from "./cellProblem.ts";
import type { Table } from "./tableFile.ts";

/** A cell that cannot be used. */
export interface BadCell {
  readonly column: number;
  readonly problem: string;
}

/** Reads the labels of a row. */
export interface LabelCells {
  readonly columns: readonly number[];
  /** True if an image may have several labels or none. */
  readonly isMultiLabel: boolean;
  /** Labels that exist even if no row has them. */
  readonly names: readonly string[];
  /** Labels of a row, or the cell that cannot be used. */
  read(cells: readonly string[]): readonly string[] | BadCell;
  /** Description for people, after "labels from". */
  readonly note: string;
}

/** Cells of one label each. */
export function singleLabel({ columns }: Table, column: number): LabelCells {
  return {
    columns: [column],
    isMultiLabel: false,
    names: [],
    note: quotedName(columns[column] as string),
    read(cells) {
      const cell = cells[column] as string;
      const problem = cellProblem(cell);
      return problem === undefined ? [cell] : { column, problem };
    },
  };
}

/** Cells of several labels each. `split` returns undefined for a cell that it cannot read. A blank cell is an image without labels. */
function labelLists(column: number, note: string, split: (cell: string) => readonly string[] | undefined): LabelCells {
  return {
    columns: [column],
    isMultiLabel: true,
    names: [],
    note,
    read(cells) {
      const cell = cells[column] as string;
      if (cell.trim() === "") return [];
      const problem = cellProblem(cell);
      if (problem !== undefined) return { column, problem };
      const labels = split(cell)?.map((label) => label.trim());
      if (!labels) return { column, problem: `${quotedName(cell)}, not a list of texts` };
      if (labels.includes("")) return { column, problem: `an empty label in ${quotedName(cell)}` };
      const twice = labels.find((label, i) => labels.indexOf(label) < i);
      return twice === undefined ? labels : { column, problem: `the label ${quotedName(twice)} twice` };
    },
  };
}

/** Cells of labels between separators. */
export function separatedLabels({ columns }: Table, column: number, separator: string): LabelCells {
  const note = `column ${quotedName(columns[column] as string)}, separated by ${quotedName(separator)}`;
  return labelLists(column, note, (cell) => cell.split(separator));
}

/** JSON lists of labels, if the first cells of a column are such lists or blank, but not all blank; undefined for other cells. */
export function listedLabels({ columns, sample }: Table, column: number): LabelCells | undefined {
  const cells = sample.map((row) => row.cells[column] as string).filter((cell) => cell.trim() !== "");
  if (cells.length === 0 || !cells.every((cell) => listOf(cell) !== undefined)) return undefined;
  return labelLists(column, `the lists in column ${quotedName(columns[column] as string)}`, listOf);
}

function listOf(cell: string): readonly string[] | undefined {
  if (!cell.startsWith("[")) return undefined;
  try {
    const list: unknown = JSON.parse(cell);
    const isList = Array.isArray(list) && list.every((item) => typeof item === "string" || Number.isSafeInteger(item));
    return isList ? list.map(String) : undefined;
  } catch {
    return undefined;
  }
}

const absent = /^(?:0(?:\.0)?|false)$/i;
const present = /^(?:1(?:\.0)?|true)$/i;

/** True if the first cells of a column are 0 or 1. */
export function isIndicator({ sample }: Table, column: number): boolean {
  return sample.length > 0 && sample.every(({ cells }) => isBinary(cells[column] as string));
}

function isBinary(cell: string): boolean {
  return absent.test(cell.trim()) || present.test(cell.trim());
}

/** A column of 0 and 1 for each label. Throws DataError for fewer than two, or two of one name. */
export function indicatorColumns({ path, columns }: Table, chosen: readonly number[]): LabelCells {
  const names = chosen.map((column) => (columns[column] as string).trim().normalize("NFC"));
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    throw new DataError(`${path}: expected each label in one column, got ${quotedName(twice)} twice`);
  if (names.length < 2) throw new DataError(`${path}: expected at least two columns of labels, got ${names.length}`);
  const [first, last] = [names[0] as string, names.at(-1) as string];
  return {
    columns: chosen,
    isMultiLabel: true,
    names,
    note: `${names.length} columns of 0 and 1, ${quotedName(first)} … ${quotedName(last)}`,
    read(cells) {
      const labels: string[] = [];
      for (const [i, column] of chosen.entries()) {
        const cell = cells[column] as string;
        if (present.test(cell.trim())) labels.push(names[i] as string);
        else if (!absent.test(cell.trim())) {
          return { column, problem: cellProblem(cell) ?? `${quotedName(cell)}, neither 0 nor 1` };
        }
      }
      return labels;
    },
  };
}
