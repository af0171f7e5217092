/** Tables with titles and notes, rendered for a terminal, as Markdown or as an SVG image. */

import { markdownText } from "../../escape.ts";
import { html } from "../markup.ts";
import { displayWidth, terminalWidth, wrap } from "../text.ts";
import { colours } from "../theme.ts";
import { type Column, formatTable, type Row } from "./terminal.ts";

/** A section of a page, with a table unless it has no columns. */
export interface Section {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly footer?: readonly Row[];
  /** Paragraphs below the table; those beginning with `- ` are list items. */
  readonly notes: readonly string[];
}

/** Renders sections as plain text within the terminal's width. */
export function formatSections(sections: readonly Section[]): string {
  return sections.map(formatSection).join("\n\n");
}

function formatSection({ title, columns, rows, footer = [], notes }: Section): string {
  const table = columns.length > 0 ? [formatTable(columns, rows, { footer }), ...(notes.length > 0 ? [""] : [])] : [];
  const paragraphs = notes.map((note) => (note.startsWith("- ") ? wrap(note.slice(2), "  - ") : wrap(note)));
  return [wrap(title, "", terminalWidth), "", ...table, ...paragraphs].join("\n");
}

/** Renders sections as Markdown. */
export function markdownSections(sections: readonly Section[]): string {
  return sections.map(markdownSection).join("\n\n");
}

function markdownSection({ title, columns, rows, footer = [], notes }: Section): string {
  const row = (cells: readonly string[]) => `| ${columns.map((_, i) => markdownText(cells[i] ?? "")).join(" | ")} |`;
  const heads = columns.map(({ heading }) => heading);
  const rule = `|${columns.map(({ align }) => (align === "right" ? " ---: |" : " --- |")).join("")}`;
  const table = columns.length > 0 ? [[row(heads), rule, ...[...rows, ...footer].map(row)].join("\n")] : [];
  const items = notes.filter((note) => note.startsWith("- ")).map((note) => `- ${markdownText(note.slice(2))}`);
  const paragraphs = notes.filter((note) => !note.startsWith("- ")).map(markdownText);
  return [`## ${markdownText(title)}`, ...table, ...paragraphs, ...(items.length > 0 ? [items.join("\n")] : [])].join(
    "\n\n",
  );
}

/** Letters of the monospaced font: width as a fraction of the size, and size in pixels. */
const letterWidth = 0.602;
const fontSize = 13;
const lineHeight = 18;
const margin = 20;

/** Renders sections as SVG: the terminal's lines, titles in bold. Spaces are non-breaking, so that viewers do not collapse them. */
export function drawSections(sections: readonly Section[]): string {
  const lines = sections.flatMap((section, i) => {
    const [title = "", ...rest] = formatSection(section).split("\n");
    const gap = i === 0 ? [] : ["", ""];
    return [
      ...gap.map((text) => ({ text, bold: false })),
      { text: title, bold: true },
      ...rest.map((text) => ({ text, bold: false })),
    ];
  });
  const columns = Math.max(...lines.map(({ text }) => displayWidth(text)));
  const width = Math.ceil(columns * letterWidth * fontSize) + 2 * margin;
  const height = lines.length * lineHeight + 2 * margin;
  const texts = lines.flatMap(({ text, bold }, i) => {
    if (text === "") return [];
    const y = margin + (i + 0.75) * lineHeight;
    return html`<text x="${margin}" y="${y}"${bold ? html` font-weight="bold"` : []}>${text.replaceAll(" ", "\u00a0")}</text>`;
  });
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="${fontSize}" fill="${colours.ink}"><rect width="${width}" height="${height}" fill="${colours.background}"/>${texts}</svg>`
    .markup;
}
