/** Cells of a table that are no value. */
import { quotedName } from "../folder/classNames.ts";

/** Values that spreadsheets write for a formula that failed. */
const formulaErrors = /^#(?:N\/A|REF!|VALUE!|NAME\?|DIV\/0!|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)$/;

/** Problem of a cell that is used; undefined if there is none. */
export function cellProblem(cell: string): string | undefined {
  if (cell.includes("\ufffd"))
    return "text that is not UTF-8; save the table as UTF-8 (iconv -f WINDOWS-1252 -t UTF-8)";
  if (cell.trim() === "") return "a blank cell";
  if (cell.startsWith("=")) return `the formula ${quotedName(cell)}, not its value; export values`;
  if (formulaErrors.test(cell.trim())) return `the spreadsheet error ${cell.trim()}`;
  if (cell.includes("\0")) return "a zero character";
  return undefined;
}
