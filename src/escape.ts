/** Escapes of text from files and names, one function per medium. */

/** Control characters (including escape sequences), lone surrogates, marks and overrides of the writing direction, line and paragraph separators. */
const control = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;
const controlExceptLines = /(?![\n\t])[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** One line of text in a terminal, a chart or a table: replaces by `�` each character that could control a terminal or break an XML document. */
export function printable(text: string): string {
  return text.replace(control, "\ufffd");
}

/** Text of several lines in a terminal: like `printable`, but line feeds and tabs stay. */
export function terminalText(text: string): string {
  return text.replace(controlExceptLines, "\ufffd");
}

/** JSON of the same value, in which no character controls a terminal or ends a line; those inside strings become `\uXXXX`. */
export function jsonText(json: string): string {
  return json.replace(controlExceptLines, (character) =>
    [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/**
 * A CSV field. One with a comma, quote or line break is quoted, its quotes doubled. One that a spreadsheet would run as a formula, because it begins
 * with `=`, `+`, `-`, `@`, a tab or a carriage return and is no number, begins with an apostrophe. Sources: RFC 4180; OWASP, "CSV Injection".
 */
export function csvField(text: string): string {
  const isFormula = /^[=+\-@\t\r]/.test(text) && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
  const shown = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text or an attribute's value in HTML and SVG. */
export function markupText(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** Text in Markdown, without markup of its own. */
export function markdownText(text: string): string {
  return printable(text).replace(/[|<>*_[\]\\]/g, "\\$&");
}
