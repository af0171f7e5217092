import { pageHead } from "./htmlStyle.ts";
import { html, type Markup, trusted } from "./markup.ts";
import type { Section } from "./sections.ts";

/** Runs side by side as one self-contained page: the figure, then the sections. */
export function comparisonPage(sections: readonly Section[], curves: string): string {
  return html`${pageHead("Runs compared")}
<body>
<main>
<h1>Runs compared</h1>
<section>
<h2>Curves</h2>
<figure class="curves" role="img" aria-label="Train loss and test accuracy of each run against epoch">${trusted(curves)}</figure>
</section>
${sections.map(sectionMarkup)}
</main>
</body>
</html>
`.markup;
}

function sectionMarkup({ title, columns, rows, notes }: Section): Markup {
  const heads = columns.map(({ heading, align }) => html`<th scope="col" class="${classOf(align)}">${heading}</th>`);
  const body = rows.map((row) => {
    const cells = columns.map(({ align }, i) => html`<td class="${classOf(align)}">${row[i] ?? ""}</td>`);
    return html`<tr>${cells}</tr>\n`;
  });
  const table = columns.length > 0 ? html`<table><thead><tr>${heads}</tr></thead><tbody>${body}</tbody></table>` : [];
  const items = notes.filter((note) => note.startsWith("- ")).map((note) => html`<li>${note.slice(2)}</li>\n`);
  const paragraphs = notes.filter((note) => !note.startsWith("- ")).map((note) => html`<p>${note}</p>\n`);
  return html`<section>
<h2>${title}</h2>
${table}
${items.length > 0 ? html`<ul>${items}</ul>` : []}${paragraphs}
</section>
`;
}

function classOf(align: "left" | "right"): string {
  return align === "right" ? "number" : "name";
}
