/** Curves in the terminal, drawn with letters. */
import { formatPercent } from "../numbers.ts";
import { terminalWidth } from "../text.ts";

/** Points that are drawn with a letter. `y` is a fraction. */
export interface LetterSeries {
  readonly letter: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

const rows = 12;
const labelWidth = 9;
/** Where several series meet. */
const several = "*";

/** A plot of letters for the terminal, from the lowest value to the highest; a sentence if there is no point. */
export function formatLetterPlot(title: string, series: readonly LetterSeries[], width = terminalWidth): string {
  const all = series.flatMap(({ points }) => points);
  if (all.length === 0) return `${title}: none yet`;
  const columns = width - labelWidth - 1;
  const last = Math.max(...all.map(({ x }) => x)) || 1;
  const [low, high] = [Math.min(...all.map(({ y }) => y)), Math.max(...all.map(({ y }) => y))];
  const cells = Array.from({ length: rows }, () => new Array<string>(columns).fill(" "));
  for (const { letter, points } of series) {
    for (const { x, y } of points) {
      const row = cells[Math.round((rows - 1) * (high > low ? (high - y) / (high - low) : 0.5))] as string[];
      const column = Math.round(((columns - 1) * x) / last);
      row[column] = row[column] === " " || row[column] === letter ? letter : several;
    }
  }
  const label = (row: number) => {
    const text = row === 0 ? formatPercent(high) : row === rows - 1 ? formatPercent(low) : "";
    return `${text.padStart(labelWidth)}|`;
  };
  const epochs = `0${`${Number(last.toFixed(2))}`.padStart(columns - 1)}`;
  return [
    `${title} (${several}: several)`,
    ...cells.map((row, i) => `${label(i)}${row.join("")}`.trimEnd()),
    `${" ".repeat(labelWidth)}+${"-".repeat(columns)}`,
    `${" ".repeat(labelWidth + 1)}${epochs}`,
  ].join("\n");
}
