/** Report of a run as one self-contained HTML file. */
import type { Interval } from "../../training/evaluation/intervals.ts";
import { labelSetFigures } from "../../training/evaluation/metrics.ts";
import { type MultiLabelFigures, type Thresholds, thresholdOf } from "../../training/evaluation/multiLabel.ts";
import { accuracyNameOf } from "../accuracyName.ts";
import { type Content, html, type Markup, trusted } from "../markup.ts";
import { formatCount, formatDuration, formatEpoch, formatLoss, formatMagnitude } from "../numbers.ts";
import {
  type ClassAccuracy,
  type EvaluationReport,
  formatAverages,
  formatInterval,
  formatMultiLabel,
  recallOf,
  topKName,
} from "../tables/evaluation.ts";
import type { Section } from "../tables/sections.ts";
import { inPage } from "../theme.ts";
import { gallery, type ReportGallery } from "./gallery.ts";
import {
  type CurvesFigure,
  chartFigure,
  chartSection,
  percent,
  type ReportChart,
  scrollingTable,
} from "./htmlParts.ts";
import { filePage } from "./htmlStyle.ts";

/** Data of the report. Accuracies and probabilities are fractions. */
export interface ReportData {
  /** Network and data set. */
  readonly title: string;
  readonly results: ReportResults;
  readonly curves: CurvesFigure;
  /** Further figures. */
  readonly charts: readonly ReportChart[];
  /** Evaluation of `results.weights`. */
  readonly evaluation?: EvaluationReport;
  readonly galleries: readonly ReportGallery[];
  /** Tables of name–value pairs: network, data set, recipe, engine, versions, … */
  readonly configuration: readonly ReportSection[];
  /** Command that repeats the run. */
  readonly command: string;
  readonly network: ReportNetwork;
}

/** Final figures of a run; absent if unknown. */
export interface ReportResults {
  /** Passes through the training set, fractional. */
  readonly epochs: number;
  readonly iterations: number;
  readonly seconds: number;
  readonly trainLoss?: number;
  readonly trainAccuracy?: number;
  readonly examplesPerSecond?: number;
  /** Weights used for the evaluation, its charts and the galleries, and the epoch they were saved after. */
  readonly weights?: { readonly file: string; readonly epoch?: number };
  /** Last evaluation of the run. */
  readonly last?: { readonly epoch: number; readonly accuracy: number };
  /** Hardware and engine: `2 threads of AMD EPYC 9B45, oneDNN 2.6.3`. */
  readonly device: string;
}

export interface ReportSection {
  readonly heading: string;
  readonly rows: readonly (readonly [name: string, value: string])[];
}

/** Renders the report as HTML. All text is escaped. */
export function renderReport(data: ReportData): string {
  const { title, results, curves, charts, evaluation, galleries, network } = data;
  const main = html`<h1>${title}</h1>
<p class="lead">${leadOf(results)}</p>
${weightsNote(results)}
${figures(results, evaluation)}
<section>
<h2>Curves</h2>
<p>${curves.description}</p>
<figure class="curves" role="img" aria-label="${curves.description}" tabindex="0"><div class="wide">${trusted(inPage(curves.wide))}</div><div class="narrow">${trusted(inPage(curves.narrow))}</div></figure>
</section>
${evaluation ? classAccuracies(evaluation) : []}
${charts.map(chartSection)}
${galleries.map(gallery)}
${configuration(data)}
${networkPart(network)}`;
  return filePage(`${title}: training report`, main);
}

function leadOf({ epochs, iterations, device }: ReportResults): string {
  const passes = formatEpoch(epochs);
  return `${passes} ${passes === "1" ? "epoch" : "epochs"} (${formatCount(iterations)} iterations) on ${device}.`;
}

/** Note about the weights that the page describes. */
function weightsNote({ weights, last }: ReportResults): Content {
  if (!weights || weights.epoch === undefined) return [];
  const other =
    last && last.epoch !== weights.epoch ? `; last.safetensors has those of epoch ${formatEpoch(last.epoch)}` : "";
  return html`<p>Test figures, charts, filters and images are of the weights of epoch ${formatEpoch(weights.epoch)} in ${weights.file}, which alexnet evaluate and predict use as well${other}.</p>`;
}

function figures(results: ReportResults, evaluation: EvaluationReport | undefined): Markup {
  const { trainLoss, trainAccuracy, examplesPerSecond, seconds, weights, last } = results;
  const shownEpoch = weights?.epoch;
  const ofSets = evaluation && labelSetsOf(evaluation);
  const { full } = accuracyNameOf(ofSets !== undefined);
  const logged = ofSets ? full : "test accuracy";
  const [best, ...others] = ofSets
    ? formatMultiLabel(ofSets)
    : ([
        ["test accuracy", evaluation && percent(evaluation.top1Accuracy)],
        ...(evaluation ? formatAverages(evaluation) : []),
      ] as const);
  const isOther = last !== undefined && shownEpoch !== undefined && last.epoch !== shownEpoch;
  const lasts: readonly (readonly [name: string, value: string])[] = isOther
    ? [[`${logged}, last (epoch ${formatEpoch(last.epoch)})`, percent(last.accuracy)]]
    : [];
  const shown: readonly (readonly [name: string, value: string | undefined])[] = [
    [isOther ? `${best[0]}, best (epoch ${formatEpoch(shownEpoch)})` : best[0], best[1]],
    ...(evaluation?.accuracyInterval ? ([["95 % interval", interval(evaluation.accuracyInterval)]] as const) : []),
    ...lasts,
    [`train ${full}, epoch`, trainAccuracy === undefined ? undefined : percent(trainAccuracy)],
    ["train loss, epoch", trainLoss === undefined ? undefined : formatLoss(trainLoss)],
    [isOther ? "test loss, best" : "test loss", evaluation && formatLoss(evaluation.loss)],
    ...others,
    ["images/s", examplesPerSecond === undefined ? undefined : formatMagnitude(examplesPerSecond)],
    ["training time", formatDuration(seconds)],
  ];
  const items = shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value ?? "–"}</dd></div>`);
  return html`<dl class="figures">${items}</dl>`;
}

/** Figures of images with label sets; undefined if each image has one class. */
function labelSetsOf({ confusion, multiLabel }: EvaluationReport): MultiLabelFigures | undefined {
  return labelSetFigures({ confusion: confusion ?? [], ...(multiLabel ? { multiLabel } : {}) });
}

/** An interval that does not wrap. */
function interval(ends: Interval | null | undefined): string {
  return formatInterval(ends).replace(" ", "\u00a0");
}

function classAccuracies(evaluation: EvaluationReport): Markup {
  const ofSets = labelSetsOf(evaluation);
  if (ofSets) return classTable(evaluation, ofSets.threshold);
  const rows = evaluation.perClass.map(classRow);
  const { images, top1Accuracy, topK } = evaluation;
  return html`<section>
<h2>Accuracy of each class</h2>
<p>${formatCount(images)} test images: top-1 accuracy ${percent(top1Accuracy)}, ${topKName(evaluation)} ${percent(topK.accuracy)}.</p>
<table class="classes sorts">
<thead><tr><th scope="col">Class</th><th scope="col" class="number">Right</th><th scope="col" class="number">Accuracy</th><td class="bars"></td></tr></thead>
<tbody>${rows}</tbody>
</table>
</section>
${evaluation.averages ? classTable(evaluation) : []}`;
}

/** Figures of each class or label; threshold of those of several labels an image. */
function classTable({ perClass, images }: EvaluationReport, threshold?: Thresholds): Markup {
  const title = threshold === undefined ? "Figures of each class" : "Each label";
  const text = (value: number | null | undefined) => (value === null || value === undefined ? "–" : percent(value));
  const headings = [
    "Images",
    "Precision",
    "95 % interval",
    "Recall",
    "95 % interval",
    "F1",
    "Average precision",
    "ROC AUC",
  ];
  const columns = [...headings, ...(threshold === undefined ? [] : ["Threshold"])].map(
    (heading) => ({ heading, align: "right" }) as const,
  );
  const rows = perClass.map((own, c) => [
    own.className,
    formatCount(own.images),
    text(own.precision),
    interval(own.precisionInterval),
    text(own.recall),
    interval(own.recallInterval),
    text(own.f1),
    text(own.averagePrecision),
    text(own.rocAuc),
    ...(threshold === undefined ? [] : [text(thresholdOf(threshold, c))]),
  ]);
  const decision =
    threshold === undefined
      ? "Average precision and ROC AUC are those of a class against all others."
      : "A label is predicted if its probability is at the threshold or above.";
  return html`<section>
<h2>${title}</h2>
<p>${formatCount(images)} test images. ${decision} Intervals are Wilson's and assume independent images.</p>
${scrollingTable({ title, columns: [{ heading: threshold === undefined ? "Class" : "Label", align: "left" }, ...columns], rows, notes: [] })}
</section>`;
}

function classRow(entry: ClassAccuracy): Markup {
  const accuracy = recallOf(entry);
  const bar = accuracy === undefined ? [] : html`<div class="bar" style="width:${(100 * accuracy).toFixed(1)}%"></div>`;
  return html`<tr><th scope="row">${entry.className}</th><td class="number">${formatCount(entry.correct)} of ${formatCount(entry.images)}</td><td class="number">${accuracy === undefined ? "–" : percent(accuracy)}</td><td class="bars" aria-hidden="true">${bar}</td></tr>
`;
}

function configuration({ configuration: sections, command }: ReportData): Markup {
  const tables = sections.map(({ heading, rows }) => {
    const lines = rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`);
    return html`<div><h3>${heading}</h3><table><tbody>${lines}</tbody></table></div>`;
  });
  return html`<section>
<h2>Configuration</h2>
<div class="configuration">${tables}</div>
<h3>Command</h3>
<pre><code>${command}</code></pre>
</section>`;
}

/** Network of a run. */
interface ReportNetwork {
  readonly name: string;
  /** Source of the architecture; empty if it has none. */
  readonly source: string;
  readonly deviations: readonly string[];
  readonly drawing: ReportChart;
  readonly layers: Section;
}

/** Drawing, table of layers, source and deviations. */
function networkPart({ name, source, deviations, drawing, layers }: ReportNetwork): Markup {
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
  if (items.length === 0) return html`<p>There are no deviations.</p>`;
  return html`<p>Deviations:</p>${itemsOf(items)}`;
}
