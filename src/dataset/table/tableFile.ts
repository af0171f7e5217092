/** Tables in text files: CSV and other separated values, and JSON lines, read row by row. */
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { DataError, messageOf } from "../../errors.ts";
import { openRegular } from "../../openRegular.ts";
import { quotedName } from "../folder/classNames.ts";
import { extensionOf } from "../folder/imageNames.ts";
import { isSplitName } from "./splitName.ts";

/** A row of a table. */
export interface TableRow {
  /** Number of the row as a spreadsheet shows it: the header is row 1. In JSON lines, the number of the line. */
  readonly row: number;
  /** One cell per column; an absent member of a JSON line is blank. */
  readonly cells: readonly string[];
}

/** A table, with its first rows. */
export interface Table {
  readonly path: string;
  readonly columns: readonly string[];
  /** The first rows, at most 100. */
  readonly sample: readonly TableRow[];
  /** Reads all rows. Throws DataError naming the row that is unreadable. */
  rows(): AsyncGenerator<TableRow>;
}

const SAMPLE_ROWS = 100;
const PEEK_BYTES = 1 << 16;
/** Maximum size of a row; also bounds a quotation mark that is never closed. */
const MAX_ROW_BYTES = 1 << 20;
/** Maximum number of columns. Source: Microsoft, “Excel specifications and limits”. */
const MAX_COLUMNS = 16_384;

/** File extensions of tables, with the separator of cells; undefined for JSON lines. */
const extensions: ReadonlyMap<string, string | undefined> = new Map([
  ["csv", ","],
  ["tsv", "\t"],
  ["tab", "\t"],
  ["jsonl", undefined],
  ["ndjson", undefined],
]);

/** Signatures of files that contain tables, but not as text. */
const binary: readonly (readonly [signature: string, name: string])[] = [
  ["PK\x03\x04", "an Excel or OpenDocument workbook, or another zip archive"],
  ["\xd0\xcf\x11\xe0", "an Excel workbook"],
  ["PAR1", "a Parquet file"],
  ["\x1f\x8b", "a gzip file"],
];

/** Extensions of the files that `openTable` reads. */
export const tableExtensions: readonly string[] = [...extensions.keys()];

/**
 * Opens a table. The separator follows from the header: comma, tab, semicolon or vertical bar. Text is UTF-8, with or without byte order mark, or
 * UTF-16 with one; lines end in LF, CRLF or CR.
 *
 * Throws DataError if the file is unreadable, has no header, or is not such text.
 */
export async function openTable(path: string, signal?: AbortSignal): Promise<Table> {
  const start = await peek(path);
  const kind = binary.find(([signature]) => start.toString("latin1").startsWith(signature))?.[1];
  if (kind !== undefined) throw notText(path, kind);
  const encoding = encodingOf(start);
  const text = start.toString(encoding === "utf-16be" ? "latin1" : encoding);
  if (encoding === "utf-8" && text.includes("\0"))
    throw notText(path, "zero bytes, as in UTF-16 without a byte order mark");
  const name = extensionOf(path);
  const isJson = extensions.has(name) ? extensions.get(name) === undefined : /^\ufeff?\s*\{/.test(text);
  if (name === "json" && !isJson)
    throw new DataError(`${path}: expected JSON lines, got other JSON; write one object per line (jq -c '.[]')`);
  const open = () =>
    isJson ? jsonRows(path, encoding, signal) : separatedRows(path, encoding, separatorOf(text, name), signal);
  const [{ cells: columns } = { cells: [] }, ...sample] = await firstRows(open());
  if (columns.every((name) => name.trim() === ""))
    throw new DataError(`${path}: expected a table with a header, got an empty one`);
  if (columns.length > MAX_COLUMNS)
    throw new DataError(
      `${path}: expected at most ${MAX_COLUMNS} columns, got ${columns.length}; remove those that are not needed`,
    );
  return {
    path,
    columns,
    sample,
    async *rows() {
      let isHeader = true;
      for await (const row of open()) {
        if (!isHeader) yield row;
        isHeader = false;
      }
    },
  };
}

/** The header and the sample; the file is closed. */
async function firstRows(source: AsyncGenerator<TableRow, void>): Promise<readonly TableRow[]> {
  const rows: TableRow[] = [];
  for await (const row of source) if (rows.push(row) > SAMPLE_ROWS) break;
  return rows;
}

type Encoding = "utf-8" | "utf-16le" | "utf-16be";

async function peek(path: string): Promise<Buffer> {
  try {
    const handle = await openRegular(path);
    try {
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(PEEK_BYTES), 0, PEEK_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new DataError(`${path}: expected a table: ${messageOf(cause)}`, { cause });
  }
}

function encodingOf(start: Buffer): Encoding {
  const mark = start.subarray(0, 2).toString("hex");
  return mark === "fffe" ? "utf-16le" : mark === "feff" ? "utf-16be" : "utf-8";
}

function notText(path: string, got: string): DataError {
  return new DataError(
    `${path}: expected a table as text (${tableExtensions.join(", ")}), got ${got}; save or export it as CSV in UTF-8`,
  );
}

const separators = [",", "\t", ";", "|"] as const;

/** The separator that the header contains most often outside of quotes; that of the file extension wins a tie. */
function separatorOf(text: string, extension: string): string {
  const [header = ""] = text.replace(/"[^"]*"/g, "").split(/[\r\n]/, 1);
  const usual = extensions.get(extension) ?? ",";
  const count = (separator: string) => header.split(separator).length;
  return separators.reduce((best, each) => (count(each) > count(best) ? each : best), usual);
}

/** Text of a file as UTF-8. Bytes that are not of the encoding become U+FFFD, which `cellProblem` refuses. */
function textOf(path: string, encoding: Encoding, signal: AbortSignal | undefined): Readable {
  const stream = createReadStream(path, { highWaterMark: 1 << 18, ...(signal && { signal }) });
  if (encoding === "utf-8") return stream;
  return Readable.from(
    (async function* () {
      const decoder = new TextDecoder(encoding);
      for await (const bytes of stream) yield decoder.decode(bytes, { stream: true });
    })(),
    { objectMode: false },
  );
}

async function* separatedRows(
  path: string,
  encoding: Encoding,
  delimiter: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<TableRow, void> {
  const parser = parse({
    delimiter,
    bom: true,
    record_delimiter: ["\r\n", "\n", "\r"],
    relax_column_count: true,
    max_record_size: MAX_ROW_BYTES,
  });
  const text = textOf(path, encoding, signal);
  text.on("error", (error) => parser.destroy(error));
  let row = 0;
  let length = 0;
  try {
    for await (const cells of text.pipe(parser) as AsyncIterable<readonly string[]>) {
      row++;
      if (row === 1) length = cells.length;
      // A blank line.
      if (cells.length === 1 && length > 1 && cells[0] === "") continue;
      if (cells.length !== length) throw new DataError(`${path}: row ${row}: ${otherLength(length, cells.length)}`);
      yield { row, cells };
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof DataError) throw cause;
    if (!(cause instanceof CsvError)) throw new DataError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
    throw new DataError(`${path}: row ${row + 1}: ${quoteProblem(cause)}`, { cause });
  } finally {
    text.destroy();
    parser.destroy();
  }
}

function otherLength(expected: number, got: number): string {
  const remedy = got > expected ? "put cells that contain the separator in quotes" : "complete the row";
  return `expected ${expected} cells, as in the header, got ${got}; ${remedy}`;
}

function quoteProblem({ code }: CsvError): string {
  switch (code) {
    case "CSV_MAX_RECORD_SIZE":
      return `expected at most ${MAX_ROW_BYTES >> 20} MiB per row, got more; close its quotation mark, or remove columns`;
    case "CSV_QUOTE_NOT_CLOSED":
      return "expected a closing quotation mark, got the end of the file; close it";
    default:
      return 'expected quotation marks around whole cells only, got one inside a cell; quote the cell and double it ("")';
  }
}

async function* jsonRows(
  path: string,
  encoding: Encoding,
  signal: AbortSignal | undefined,
): AsyncGenerator<TableRow, void> {
  const sample: { row: number; members: Readonly<Record<string, unknown>> }[] = [];
  let columns: readonly string[] | undefined;
  let known: ReadonlySet<string> = new Set();
  const cellsOf = (members: Readonly<Record<string, unknown>>, row: number) =>
    (columns ?? []).map((column) => jsonText(path, row, column, members[column]));
  function* flushed(): Generator<TableRow> {
    known = new Set(sample.flatMap(({ members }) => Object.keys(members)));
    columns = [...known];
    yield { row: 0, cells: columns };
    for (const { row, members } of sample) yield { row, cells: cellsOf(members, row) };
  }
  for await (const { row, line } of linesOf(path, encoding, signal)) {
    const members = jsonObject(path, row, line);
    if (columns) refuseLateSplit(path, row, members, known);
    if (columns) yield { row, cells: cellsOf(members, row) };
    else if (sample.push({ row, members }) === SAMPLE_ROWS) yield* flushed();
  }
  if (!columns) yield* flushed();
}

/** Throws DataError for a split that only later rows have: columns are those of the first rows, and the images would be in no part. */
function refuseLateSplit(
  path: string,
  row: number,
  members: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
): void {
  for (const [name, value] of Object.entries(members)) {
    if (value === null || known.has(name) || !isSplitName(name)) continue;
    throw new DataError(
      `${path}: row ${row}: expected ${quotedName(name)} in the first ${SAMPLE_ROWS} rows too, got none; add it to every row`,
    );
  }
}

async function* linesOf(path: string, encoding: Encoding, signal: AbortSignal | undefined) {
  const decoder = new TextDecoder();
  const text = textOf(path, encoding, signal);
  let [rest, row] = ["", 0];
  try {
    for await (const bytes of text) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop() as string;
      if (rest.length > MAX_ROW_BYTES) {
        throw new DataError(
          `${path}: row ${row + lines.length + 1}: expected at most ${MAX_ROW_BYTES >> 20} MiB per line, got more`,
        );
      }
      for (const line of lines) {
        row++;
        if (line.trim() !== "") yield { row, line };
      }
    }
    if (rest.trim() !== "") yield { row: row + 1, line: rest };
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
  } finally {
    text.destroy();
  }
}

function jsonObject(path: string, row: number, line: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (cause) {
    throw new DataError(`${path}: row ${row}: expected a JSON object on one line: ${messageOf(cause)}`, { cause });
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json))
    return json as Readonly<Record<string, unknown>>;
  throw new DataError(`${path}: row ${row}: expected a JSON object on one line, got ${line.slice(0, 40)}`);
}

/** Text of a JSON value. Objects and lists keep their JSON, which no class or path is. */
function jsonText(path: string, row: number, column: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new DataError(
      `${path}: row ${row}, column ${quotedName(column)}: expected a number that JSON readers keep exactly, got ${value}; write it in quotes`,
    );
  }
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
