/** HTML markup in which nothing stays unescaped. */
import { printable } from "./text.ts";

/** HTML that is safe to put into a page as it is. */
export interface Markup {
  readonly markup: string;
}

/** What a template can hold: markup goes in as it is, anything else is escaped. */
export type Content = string | number | Markup | readonly Markup[];

/** A template of HTML: `` html`<td>${className}</td>` `` escapes the name, as text and as a quoted attribute alike. */
export function html(literals: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return { markup: String.raw({ raw: literals }, ...contents.map(markupOf)) };
}

/** Text from this program that is HTML already: a figure or a style sheet, never anything a user wrote. */
export function trusted(markup: string): Markup {
  return { markup };
}

function markupOf(content: Content): string {
  if (typeof content === "string") return escapeText(content);
  if (typeof content === "number") return String(content);
  return "markup" in content ? content.markup : content.map(({ markup }) => markup).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeText(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => entities[character] ?? character);
}
