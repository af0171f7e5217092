/** What the report says of the network. */

import { type Content, html, type Markup } from "../markup.ts";
import type { Section } from "../tables/sections.ts";
import { chartFigure, type ReportChart, scrollingTable } from "./htmlParts.ts";

/** The network of a run. */
export interface ReportNetwork {
  readonly name: string;
  /** Where it is described; empty if nowhere. */
  readonly source: string;
  readonly deviations: readonly string[];
  readonly drawing: ReportChart;
  readonly layers: Section;
}

/** Drawing, table of layers, source, and the deviations from it. */
export function networkPart({ name, source, deviations, drawing, layers }: ReportNetwork): Markup {
  return html`<section class="network">
<h2>The network ${name}</h2>
<h3>${drawing.heading}</h3>
<p>${drawing.description}</p>
${chartFigure(drawing)}
<h3>${layers.title}</h3>
${layers.notes.map((note) => html`<p>${note}</p>`)}
${scrollingTable(layers)}
${sourcePart(source, deviations)}
</section>`;
}

function sourcePart(source: string, deviations: readonly string[]): Content {
  if (source === "") return deviations.length === 0 ? [] : html`<h3>Deviations</h3>${itemsOf(deviations)}`;
  return html`<h3>Source</h3><p>${source}.</p>${deviationList(deviations)}`;
}

function itemsOf(items: readonly string[]): Markup {
  return html`<ul>${items.map((item) => html`<li>${item}</li>\n`)}</ul>`;
}

function deviationList(items: readonly string[]): Markup {
  if (items.length === 0) return html`<p>It does not deviate from it.</p>`;
  return html`<p>It deviates from it:</p>${itemsOf(items)}`;
}
