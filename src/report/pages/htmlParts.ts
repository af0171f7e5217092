/** What pages are made of: figures and tables. */
import { html, type Markup, trusted } from "../markup.ts";
import { formatPercent } from "../numbers.ts";
import type { Section } from "../tables/sections.ts";
import { inPage } from "../theme.ts";

/** A figure under a heading of its own. */
export interface ReportChart {
  readonly heading: string;
  /** What it shows, in words. */
  readonly description: string;
  readonly svg: string;
}

/** A chart with the name of its files. */
export interface NamedChart extends ReportChart {
  readonly name: string;
}

/** A line must not break before the per cent sign. */
export function percent(fraction: number): string {
  return formatPercent(fraction).replace(" ", "\u00a0");
}

/** A figure with its heading and description as a section. */
export function chartSection(figure: ReportChart): Markup {
  return html`<section>
<h2>${figure.heading}</h2>
<p>${figure.description}</p>
${chartFigure(figure)}
</section>`;
}

/** A figure alone. One that is too wide can be scrolled, by keyboard too. */
export function chartFigure({ heading, description, svg }: ReportChart): Markup {
  return html`<figure class="chart" role="img" aria-label="${heading}: ${description}" tabindex="0">${trusted(inPage(svg))}</figure>`;
}

/** The table of a section with its title as caption, first column as headings. One that is too wide can be scrolled, by keyboard too. */
export function scrollingTable({ title, columns, rows, footer = [] }: Section): Markup {
  const classOf = (i: number) => (columns[i]?.align === "right" ? trusted(' class="number"') : []);
  const head = columns.map(({ heading }, i) => html`<th scope="col"${classOf(i)}>${heading}</th>`);
  const line = ([name = "", ...cells]: readonly string[]) =>
    html`<tr><th scope="row">${name}</th>${cells.map((cell, i) => html`<td${classOf(i + 1)}>${cell}</td>`)}</tr>\n`;
  return html`<div class="scroll" role="region" aria-label="${title}" tabindex="0"><table>
<thead><tr>${head}</tr></thead>
<tbody>${rows.map(line)}</tbody>
<tfoot>${footer.map(line)}</tfoot>
</table></div>`;
}
