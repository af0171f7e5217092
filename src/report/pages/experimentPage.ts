/** `index.html` of an experiment: the claim beside the measurement, figures, configurations and settings, in one self-contained file. */
import { html, type Markup } from "../markup.ts";
import type { Section } from "../tables/sections.ts";
import { chartSection, type ReportChart, scrollingTable } from "./htmlParts.ts";
import { filePage } from "./htmlStyle.ts";

/** Data of the page. */
export interface ExperimentPage {
  readonly title: string;
  readonly source: string;
  readonly claim: string;
  readonly conclusion: string;
  readonly command: string;
  readonly quick: boolean;
  readonly findings: readonly {
    readonly name: string;
    readonly published: string;
    readonly measured: string;
    readonly verdict: string;
    readonly sentence: string;
  }[];
  readonly charts: readonly ReportChart[];
  readonly armTable: Section;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly notes: readonly string[];
  /** Settings as JSON. */
  readonly settingsText: string;
}

const style = `
.findings { overflow-x: auto; }
.findings td, .findings th { min-width: 5rem; overflow-wrap: break-word; }
.findings th[scope="row"] { min-width: 9rem; }
.findings .holds { color: var(--right); font-weight: 600; }
.findings .fails { color: var(--wrong); font-weight: 600; }
.configurations thead th, .configurations thead button { white-space: normal; vertical-align: bottom; }
.configurations thead th { min-width: 5rem; }
.conclusion { font-weight: 600; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; }
@media (max-width: 40rem) {
  .facts { grid-template-columns: 1fr; gap: 0; }
  .facts dd { margin-bottom: .5rem; }
  .findings { font-size: .8125rem; }
  .findings td, .findings th, .findings th[scope="row"] { min-width: 0; padding-right: .4rem; }
}
.findings:focus-visible, summary:focus-visible { outline: 3px solid var(--chart-blue); outline-offset: 2px; }
summary { cursor: pointer; }
@media print { .findings { overflow: visible; } }
`;

/** Renders the page. All text is escaped. */
export function renderExperiment(page: ExperimentPage): string {
  const { title, source, claim, conclusion, charts, armTable, facts, notes, command, settingsText, quick } = page;
  const main = html`<h1>${title}</h1>
<p class="lead">${source}</p>
<section>
<h2>Claim and measurement</h2>
<p>${claim}</p>
<p class="conclusion">${conclusion}</p>
${findingTable(page)}
</section>
${charts.map(chartSection)}
<section class="configurations">
<h2>Configurations</h2>
<p>${quick ? "Quick run. " : ""}Mean over the seeds ± sample standard deviation.</p>
${scrollingTable(armTable)}
</section>
<section>
<h2>Limits</h2>
<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>
</section>
<section>
<h2>Run</h2>
<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
<pre><code>${command}</code></pre>
<details><summary>All settings</summary><pre><code>${settingsText}</code></pre></details>
</section>`;
  return filePage(title, main, style);
}

function findingTable({ findings }: ExperimentPage): Markup {
  const heads = ["Comparison", "Published", "Measured", "Result"].map((head) => html`<th scope="col">${head}</th>`);
  const rows = findings.map(
    ({ name, published, measured, verdict, sentence }) =>
      html`<tr><th scope="row">${name}</th><td>${published}</td><td>${measured}</td><td class="${verdict.replace(" ", "-")}">${sentence}</td></tr>\n`,
  );
  return html`<div class="findings" role="group" aria-label="Comparisons" tabindex="0"><table><thead><tr>${heads}</tr></thead><tbody>${rows}</tbody></table></div>`;
}
