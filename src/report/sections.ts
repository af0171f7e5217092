/** Tables with a title and notes, printed in a terminal's columns or as Markdown. */
import { type Column, formatTable, type Row } from "./terminal.ts";
import { printable, terminalWidth, wrap } from "./text.ts";

/** A part of a page. Without columns it has no table. */
export interface Section {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly footer?: readonly Row[];
  /** Paragraphs below the table; those that begin with `- ` are items of a list. */
  readonly notes: readonly string[];
}

/** Sections as plain text that keeps to the terminal's width. */
export function formatSections(sections: readonly Section[]): string {
  return sections.map(formatSection).join("\n\n");
}

function formatSection({ title, columns, rows, footer = [], notes }: Section): string {
  const table = columns.length > 0 ? [formatTable(columns, rows, { footer }), ...(notes.length > 0 ? [""] : [])] : [];
  const paragraphs = notes.map((note) => (note.startsWith("- ") ? wrap(note.slice(2), "  - ") : wrap(note)));
  return [wrap(title, "", terminalWidth), "", ...table, ...paragraphs].join("\n");
}

/** Sections as Markdown. */
export function markdownSections(sections: readonly Section[]): string {
  return sections.map(markdownSection).join("\n\n");
}

function markdownSection({ title, columns, rows, footer = [], notes }: Section): string {
  const row = (cells: readonly string[]) => `| ${columns.map((_, i) => escaped(cells[i] ?? "")).join(" | ")} |`;
  const heads = columns.map(({ heading }) => heading);
  const rule = `|${columns.map(({ align }) => (align === "right" ? " ---: |" : " --- |")).join("")}`;
  const table = columns.length > 0 ? [[row(heads), rule, ...[...rows, ...footer].map(row)].join("\n")] : [];
  const items = notes.filter((note) => note.startsWith("- ")).map((note) => `- ${escaped(note.slice(2))}`);
  const paragraphs = notes.filter((note) => !note.startsWith("- ")).map(escaped);
  return [`## ${escaped(title)}`, ...table, ...paragraphs, ...(items.length > 0 ? [items.join("\n")] : [])].join(
    "\n\n",
  );
}

/** What would end a cell, or act as markup. Code between backquotes stays. */
function escaped(text: string): string {
  return printable(text).replace(/[|<>*_[\]\\]/g, "\\$&");
}
