/** The report of a run: one HTML file that needs nothing but itself. */
import { accuracyOf, type ClassAccuracy, type EvaluationReport, topKName } from "./evaluation.ts";
import { pageHead } from "./htmlStyle.ts";
import { html, type Markup, trusted } from "./markup.ts";
import { formatCount, formatDuration, formatLoss, formatMagnitude, formatPercent } from "./numbers.ts";

/** Everything the report shows. Accuracies and probabilities are fractions. */
export interface ReportData {
  /** What was trained on what. */
  readonly title: string;
  readonly results: ReportResults;
  /** The figure of the run in both formats of `drawCurves`: SVG goes into the page as it is. */
  readonly curves: { readonly wide: string; readonly narrow: string };
  /** Further figures, drawn by this program. */
  readonly charts: readonly ReportChart[];
  /** The last evaluation; absent if the run ended before one. */
  readonly evaluation?: EvaluationReport;
  readonly predictions: readonly ReportPrediction[];
  /** The test images that the network is most wrong about, the worst first. */
  readonly worstMistakes: readonly ReportPrediction[];
  /** Tables of names and values: network, data set, recipe, engine, versions, … */
  readonly configuration: readonly ReportSection[];
  /** The command that does the run again. */
  readonly command: string;
  readonly network: { readonly name: string; readonly source: string; readonly deviations: readonly string[] };
}

/** A figure under a heading of its own. */
export interface ReportChart {
  readonly heading: string;
  /** What it shows, in words. */
  readonly description: string;
  readonly svg: string;
}

/** The figures that a run ends with; absent ones are not known. */
export interface ReportResults {
  /** Passes through the training set, fractional. */
  readonly epochs: number;
  readonly iterations: number;
  readonly seconds: number;
  readonly trainLoss?: number;
  readonly trainAccuracy?: number;
  readonly examplesPerSecond?: number;
  /** What the run computed on: `2 threads of AMD EPYC 9B45, oneDNN 2.6.3`. */
  readonly device: string;
}

/** A test image with what the network says of it. */
export interface ReportPrediction {
  readonly png: Uint8Array;
  readonly trueClass: string;
  readonly predictedClass: string;
  readonly probability: number;
}

export interface ReportSection {
  readonly heading: string;
  readonly rows: readonly (readonly [name: string, value: string])[];
}

/** Writes the report as HTML. All text is escaped. */
export function renderReport(data: ReportData): string {
  const { title, results, curves, charts, evaluation, predictions, worstMistakes, network } = data;
  const page = html`${pageHead(`${title}: training report`)}
<body>
<main>
<h1>${title}</h1>
<p class="lead">${leadOf(results)}</p>
${figures(results, evaluation)}
<section>
<h2>Curves</h2>
<figure class="curves" role="img" aria-label="Train loss, train accuracy and test accuracy against epoch"><div class="wide">${trusted(curves.wide)}</div><div class="narrow">${trusted(curves.narrow)}</div></figure>
</section>
${evaluation ? classAccuracies(evaluation) : []}
${charts.map(chartSection)}
${worstMistakes.length > 0 ? gallery("The worst mistakes", "Their own class was given the least probability.", worstMistakes) : []}
${predictions.length > 0 ? gallery("Some test images", shareRight(predictions), predictions) : []}
${configuration(data)}
<section>
<h2>The network ${network.name}</h2>
${network.source === "" ? [] : html`<p>Source: ${network.source}.</p>`}
${deviations(network.deviations)}
</section>
</main>
</body>
</html>
`;
  return page.markup;
}

/** A line must not break before the per cent sign. */
function percent(fraction: number): string {
  return formatPercent(fraction).replace(" ", "\u00a0");
}

function leadOf({ epochs, iterations, device }: ReportResults): string {
  const passes = Number(epochs.toFixed(2));
  return `${passes} ${passes === 1 ? "epoch" : "epochs"} (${formatCount(iterations)} iterations) on ${device}.`;
}

function figures(results: ReportResults, evaluation: EvaluationReport | undefined): Markup {
  const { trainLoss, trainAccuracy, examplesPerSecond, seconds } = results;
  const shown: readonly (readonly [name: string, value: string | undefined])[] = [
    ["test accuracy", evaluation && percent(evaluation.top1Accuracy)],
    ["train accuracy, epoch", trainAccuracy === undefined ? undefined : percent(trainAccuracy)],
    ["train loss, epoch", trainLoss === undefined ? undefined : formatLoss(trainLoss)],
    ["test loss", evaluation && formatLoss(evaluation.loss)],
    ["images/s", examplesPerSecond === undefined ? undefined : formatMagnitude(examplesPerSecond)],
    ["training time", formatDuration(seconds)],
  ];
  const items = shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value ?? "–"}</dd></div>`);
  return html`<dl class="figures">${items}</dl>`;
}

function classAccuracies(evaluation: EvaluationReport): Markup {
  const rows = evaluation.perClass.map(classRow);
  const { images, top1Accuracy, topK } = evaluation;
  return html`<section>
<h2>Accuracy of each class</h2>
<p>${formatCount(images)} test images: top-1 accuracy ${percent(top1Accuracy)}, ${topKName(evaluation)} ${percent(topK.accuracy)}.</p>
<table class="classes">
<thead><tr><th scope="col">Class</th><th scope="col" class="number">Right</th><th scope="col" class="number">Accuracy</th><td class="bars"></td></tr></thead>
<tbody>${rows}</tbody>
</table>
</section>`;
}

function classRow(entry: ClassAccuracy): Markup {
  const accuracy = accuracyOf(entry);
  const bar = accuracy === undefined ? [] : html`<div class="bar" style="width:${(100 * accuracy).toFixed(1)}%"></div>`;
  return html`<tr><th scope="row">${entry.className}</th><td class="number">${formatCount(entry.correct)} of ${formatCount(entry.images)}</td><td class="number">${accuracy === undefined ? "–" : percent(accuracy)}</td><td class="bars" aria-hidden="true">${bar}</td></tr>
`;
}

/** A figure with its heading and what it shows in words, which people who do not see it are told. */
export function chartSection({ heading, description, svg }: ReportChart): Markup {
  return html`<section>
<h2>${heading}</h2>
<p>${description}</p>
<figure class="chart" role="img" aria-label="${heading}: ${description}" tabindex="0">${trusted(svg)}</figure>
</section>`;
}

function shareRight(predictions: readonly ReportPrediction[]): string {
  const right = predictions.filter(({ trueClass, predictedClass }) => trueClass === predictedClass).length;
  return `${right} of these ${predictions.length} are right.`;
}

function gallery(heading: string, description: string, predictions: readonly ReportPrediction[]): Markup {
  return html`<section>
<h2>${heading}</h2>
<p>${description}</p>
<ul class="gallery">${predictions.map(galleryItem)}</ul>
</section>`;
}

/** Images smaller than this are shown enlarged, with their pixels sharp. */
const smallImage = 64;

function galleryItem({ png, trueClass, predictedClass, probability }: ReportPrediction): Markup {
  const isRight = trueClass === predictedClass;
  const source = `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
  return html`<li class="${isRight ? "right" : "wrong"}">
<img src="${source}" alt="A test image of class ${trueClass}"${widthOf(png) < smallImage ? trusted(' class="pixels"') : []}>
<p class="verdict">${isRight ? "✓ right" : "✗ wrong"}</p>
<dl><dt>predicted</dt><dd>${predictedClass}, ${percent(probability)}</dd><dt>true</dt><dd>${trueClass}</dd></dl>
</li>
`;
}

/** Width in pixels: the first number of a PNG's header chunk, 16 bytes into the file. */
function widthOf(png: Uint8Array): number {
  return new DataView(png.buffer, png.byteOffset, png.byteLength).getUint32(16);
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

function deviations(items: readonly string[]): Markup {
  if (items.length === 0) return html`<p>It does not deviate from it.</p>`;
  return html`<p>It deviates from it:</p><ul>${items.map((item) => html`<li>${item}</li>\n`)}</ul>`;
}
