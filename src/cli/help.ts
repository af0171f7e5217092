/** Help text, derived from the data of commands. */
import { terminalWidth } from "../report/text.ts";
import type { Example, OptionSpec } from "./spec.ts";

/** Sections that another command describes in full: a heading and the names of the flags. */
export function pointersOf(options: readonly OptionSpec[], command: string): readonly (readonly [string, string])[] {
  const others = options.flatMap(({ section }) => (section && section.command !== command ? [section] : []));
  return [...new Set(others)].map((section) => [
    `${section.heading} options, as in alexnet ${section.command}:`,
    options
      .filter((option) => option.section === section)
      .map(({ flags }) => flagOf(flags))
      .join(", "),
  ]);
}

/** The flag without its placeholder. */
export function flagOf(flags: string): string {
  return flags.split(" ")[0] as string;
}

/** Lines of examples; explanations are aligned in one column, except after lines too long for it. */
export function formatExamples(examples: readonly Example[]): string {
  const column = explanationColumn(examples);
  return examples
    .map(([line, explanation]) => {
      const space = " ".repeat(Math.max(0, column - lastLength(line)) + 2);
      return `  ${line.replaceAll("\n", "\n  ")}${explanation === undefined ? "" : space + explanation}`;
    })
    .join("\n");
}

/** Length of the longest line that leaves room for the explanations of all lines up to that length. */
function explanationColumn(examples: readonly Example[]): number {
  const explained = examples.flatMap(([line, explanation]) =>
    explanation === undefined ? [] : [{ length: lastLength(line), room: terminalWidth - 4 - explanation.length }],
  );
  const fits = (column: number) => explained.every(({ length, room }) => length > column || column <= room);
  return Math.max(0, ...explained.map(({ length }) => length).filter(fits));
}

function lastLength(line: string): number {
  return line.split("\n").at(-1)?.length ?? 0;
}
