/** HTML templates that escape every value. */
import { markupText } from "../escape.ts";

/** HTML that needs no escaping. */
export interface Markup {
  readonly markup: string;
}

/** Values a template accepts: markup is inserted unchanged, everything else is escaped. */
export type Content = string | number | Markup | readonly Markup[];

/** An HTML template: `` html`<td>${className}</td>` `` escapes the name, both as text and inside quoted attributes. */
export function html(literals: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return { markup: String.raw({ raw: literals }, ...contents.map(markupOf)) };
}

/** Marks HTML produced by this program (a figure, a style sheet) as safe. Never pass text that comes from a user. */
export function trusted(markup: string): Markup {
  return { markup };
}

function markupOf(content: Content): string {
  if (typeof content === "string") return markupText(content);
  if (typeof content === "number") return String(content);
  return "markup" in content ? content.markup : content.map(({ markup }) => markup).join("");
}
