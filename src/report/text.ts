/** Lines of plain text that keep to a width, whatever characters the names of classes and files are made of. */

/** Columns of a terminal that output keeps to. */
export const terminalWidth = 80;

/** Control characters (escape sequences among them), halves of surrogate pairs and overrides of the writing direction. */
const unprintable = /[\p{Cc}\p{Cs}\u202a-\u202e\u2066-\u2069]/gu;
const zeroWidth = /[\p{Mn}\p{Me}\p{Cf}]/u;
const doubleWidth =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u;

/** The text with each character that could act on a terminal or break an XML document replaced by `�`. */
export function printable(text: string): string {
  return text.replace(unprintable, "\ufffd");
}

/** Columns that a text takes in a terminal: 2 for East Asian and emoji characters, 0 for combining marks. */
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

/** The longest start of a text that takes at most `width` columns. */
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

/** Cuts a text that is wider than `width` and ends it in `…`. */
export function truncate(text: string, width: number): string {
  return displayWidth(text) <= width ? text : `${startOf(text, width - 1)}…`;
}

/** Cuts the start of a text that is wider than `width`, and begins it with `…`. */
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

/** Fills a text with spaces to `width` columns. */
export function pad(text: string, width: number, align: "left" | "right"): string {
  const spaces = " ".repeat(Math.max(0, width - displayWidth(text)));
  return align === "left" ? text + spaces : spaces + text;
}

/**
 * A paragraph broken at spaces into lines of at most `width` columns: the first begins with `label`, the others with as
 * many spaces. A word longer than a line is cut.
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
