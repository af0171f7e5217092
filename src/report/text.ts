/** Plain text within a given width, for names in any script. */
import { printable } from "../escape.ts";

/** Maximum number of columns of terminal output. */
export const terminalWidth = 80;

const zeroWidth = /[\p{Mn}\p{Me}\p{Cf}]/u;
const doubleWidth =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u;

/** Number of terminal columns of a text: East Asian and emoji characters take 2, combining marks 0. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

function characterWidth(character: string): number {
  if (character < "\u0300") return 1;
  if (zeroWidth.test(character)) return 0;
  return doubleWidth.test(character) ? 2 : 1;
}

/** The longest prefix of at most `width` columns. */
function startOf(text: string, width: number): string {
  let start = "";
  let used = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width) break;
    start += character;
  }
  return start;
}

/** Truncates a text wider than `width` at its end and appends `…`. */
export function truncate(text: string, width: number): string {
  return displayWidth(text) <= width ? text : `${startOf(text, width - 1)}…`;
}

/** Truncates a text wider than `width` at its start and prepends `…`. */
export function truncateStart(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const characters = [...text];
  let from = characters.length;
  for (let used = 1; from > 0; from--) {
    used += characterWidth(characters[from - 1] as string);
    if (used > width) break;
  }
  return `…${characters.slice(from).join("")}`;
}

/** Pads a text with spaces to `width` columns. */
export function pad(text: string, width: number, align: "left" | "right"): string {
  const spaces = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "left" ? text + spaces : spaces + text;
}

/**
 * Wraps a paragraph into lines of at most `width` columns. The first line begins with `label`, the others with an equal indent.
 * A word longer than a line is cut.
 */
export function wrap(text: string, label = "", width = terminalWidth): string {
  const room = width - label.length;
  const lines: string[] = [];
  let line = "";
  for (const word of text.trim().split(/\s+/).map(printable)) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (displayWidth(longer) <= room) {
      line = longer;
      continue;
    }
    if (line !== "") lines.push(line);
    line = word;
    while (displayWidth(line) > room) {
      const start = startOf(line, room);
      lines.push(start);
      line = line.slice(start.length);
    }
  }
  lines.push(line);
  return label + lines.join(`\n${" ".repeat(label.length)}`);
}
