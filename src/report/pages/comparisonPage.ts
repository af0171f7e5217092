/** `compare.html`: runs side by side in one self-contained file. */

import { html, type Markup, trusted } from "../markup.ts";
import { comparedSections } from "../tables/comparedSections.ts";
import {
  type ComparedRun,
  type Comparison,
  differenceMark,
  figureRows,
  isDifferent,
  type SettingRow,
} from "../tables/comparison.ts";
import type { Section } from "../tables/sections.ts";
import { chartSection, type ReportChart, scrollingTable } from "./htmlParts.ts";
import { filePage } from "./htmlStyle.ts";

const style = `
.compared { overflow-x: auto; }
.compared table { width: auto; min-width: 100%; }
.compared th, .compared td { overflow-wrap: break-word; min-width: 4.25rem; }
.compared th[scope="row"] { min-width: 6.5rem; max-width: 16rem; color: var(--soft); }
.compared .different { font-weight: 600; }
.compared .long { min-width: min(11rem, 30vw); overflow-wrap: anywhere; }
.runs { padding: 0; list-style: none; }
:focus-visible { outline: 3px solid var(--chart-blue); outline-offset: 2px; }
summary { cursor: pointer; }
@media print { .compared, .chart { overflow: visible; } }
`;

/** Renders the page. All text is escaped. */
export function renderComparison(comparison: Comparison, charts: readonly ReportChart[]): string {
  const { runs, settings } = comparison;
  const different = settings.filter(isDifferent);
  const same = settings.filter((row) => !isDifferent(row));
  const title = `${runs.length} runs compared`;
  const main = html`<h1>${title}</h1>
<ul class="runs">${runs.map(({ letter, run }) => html`<li><strong>${letter}</strong> ${run}</li>`)}</ul>
<section>
<h2>Figures</h2>
${table("Figures", runs, figureRows(runs), plainCell)}
</section>
${comparedSections(comparison).map(tableSection)}
${charts.map(chartSection)}
<section>
<h2>Settings that differ</h2>
${different.length > 0 ? differences(runs, different) : html`<p>None: they were started alike.</p>`}
</section>
<section>
<h2>Settings that are the same</h2>
<details><summary>All ${same.length} of them</summary>${sameTable(same)}</details>
</section>`;
  return filePage(title, main, style);
}

function tableSection(section: Section): Markup {
  return html`<section>
<h2>${section.title}</h2>
${section.columns.length > 0 ? scrollingTable(section) : []}
${section.notes.map((note) => html`<p>${note}</p>`)}
</section>`;
}

function differences(runs: readonly ComparedRun[], rows: readonly SettingRow[]): Markup {
  return html`<p>${differenceMark}: differs from ${runs[0]?.letter ?? ""}.</p>${table("Settings that differ", runs, rows, markedCell)}`;
}

type CellOf = (value: string, first: string | undefined) => Markup;

function table(label: string, runs: readonly ComparedRun[], rows: readonly SettingRow[], cellOf: CellOf): Markup {
  const heads = runs.map(({ letter }) => html`<th scope="col">${letter}</th>`);
  const lines = rows.map(({ name, values }) => {
    const cells = values.map((value) => cellOf(value, values[0]));
    return html`<tr><th scope="row">${breakable(name)}</th>${cells}</tr>\n`;
  });
  return html`<div class="compared" role="group" aria-label="${label}" tabindex="0"><table class="sorts by-row"><thead><tr><td></td>${heads}</tr></thead><tbody>${lines}</tbody></table></div>`;
}

/** A setting's name, which may break after each point. */
function breakable(name: string): Markup {
  return html`${name.split(/(?<=\.)/).map((part, i) => html`${i === 0 ? [] : trusted("<wbr>")}${part}`)}`;
}

function plainCell(value: string): Markup {
  return html`<td${value.length > 24 ? trusted(' class="long"') : []}>${value}</td>`;
}

function markedCell(value: string, first: string | undefined): Markup {
  if (value === first) return plainCell(value);
  return html`<td class="different${value.length > 24 ? " long" : ""}">${differenceMark} ${value}</td>`;
}

function sameTable(rows: readonly SettingRow[]): Markup {
  const lines = rows.map(
    ({ name, values }) => html`<tr><th scope="row">${breakable(name)}</th><td>${values[0] ?? ""}</td></tr>\n`,
  );
  return html`<div class="compared" role="group" aria-label="Settings that are the same" tabindex="0"><table><tbody>${lines}</tbody></table></div>`;
}
