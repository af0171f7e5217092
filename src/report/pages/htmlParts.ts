/** Figures and tables of pages. */

import type { AccuracyName } from "../accuracyName.ts";
import { html, type Markup, trusted } from "../markup.ts";
import { formatPercent } from "../numbers.ts";
import type { Section } from "../tables/sections.ts";
import { inPage } from "../theme.ts";

/** A figure with a heading. */
export interface ReportChart {
  readonly heading: string;
  /** Description in words. */
  readonly description: string;
  readonly svg: string;
  /** The same for pages narrower than 62 rem. */
  readonly compact?: string;
}

/** A chart and the base name of its files. */
export interface NamedChart extends ReportChart {
  readonly name: string;
}

/** A run's curves in both formats of `drawCurves`, and their description in words. */
export interface CurvesFigure {
  readonly wide: string;
  readonly narrow: string;
  readonly description: string;
}

/** Description of a run's curves. */
export function describeCurves({ full }: AccuracyName): string {
  return `Loss and ${full} against epoch, on training images and in evaluations.`;
}

/** Replaces the space before `%` by a non-breaking one. */
export function percent(fraction: number): string {
  return formatPercent(fraction).replace(" ", "\u00a0");
}

/** A figure with heading and description, as a section. */
export function chartSection(figure: ReportChart): Markup {
  return html`<section>
<h2>${figure.heading}</h2>
<p>${figure.description}</p>
${chartFigure(figure)}
</section>`;
}

/** A figure without a section. If too wide it scrolls, also by keyboard. */
export function chartFigure({ heading, description, svg, compact }: ReportChart): Markup {
  const drawing = compact
    ? html`<div class="broad">${trusted(inPage(svg))}</div><div class="compact">${trusted(inPage(compact))}</div>`
    : trusted(inPage(svg));
  return html`<figure class="chart" role="img" aria-label="${heading}: ${description}" tabindex="0">${drawing}</figure>`;
}

/** The table of a section: title as caption, first column as row headings. If too wide it scrolls, also by keyboard. */
export function scrollingTable({ title, columns, rows, footer = [] }: Section): Markup {
  const classOf = (i: number) => (columns[i]?.align === "right" ? trusted(' class="number"') : []);
  const head = columns.map(({ heading }, i) => html`<th scope="col"${classOf(i)}>${heading}</th>`);
  const line = ([name = "", ...cells]: readonly string[]) =>
    html`<tr><th scope="row">${name}</th>${cells.map((cell, i) => html`<td${classOf(i + 1)}>${cell}</td>`)}</tr>\n`;
  return html`<div class="scroll" role="region" aria-label="${title}" tabindex="0"><table class="sorts">
<thead><tr>${head}</tr></thead>
<tbody>${rows.map(line)}</tbody>
<tfoot>${footer.map(line)}</tfoot>
</table></div>`;
}
