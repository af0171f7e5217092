/** Report of a cross-validation: the figures of each fold, their mean and deviation. */
import { type Spread, spreadOf } from "../../training/evaluation/spread.ts";
import { html } from "../markup.ts";
import { formatCount, formatDuration, formatEpoch, formatLoss, formatPercent } from "../numbers.ts";
import type { Section } from "../tables/sections.ts";
import { formatTable } from "../tables/terminal.ts";
import { scrollingTable } from "./htmlParts.ts";
import { filePage } from "./htmlStyle.ts";

/** Figures of a fold's best evaluation; accuracies are fractions. */
export interface FoldFigures {
  /** Report of the fold, relative to the page. */
  readonly report: string;
  readonly trainImages: number;
  /** Number of images in the fold. */
  readonly images: number;
  /** Epoch of the best evaluation; undefined if there was none. */
  readonly epoch: number | undefined;
  readonly seconds: number;
  readonly figures: { readonly accuracy?: number; readonly loss?: number; readonly meanAveragePrecision?: number };
}

/** Data of the page. */
export interface FoldsReport {
  /** Network and data set. */
  readonly title: string;
  /** Directory of the folds. */
  readonly run: string;
  readonly command: string;
  readonly isMultiLabel: boolean;
  readonly folds: readonly FoldFigures[];
}

type FigureName = keyof FoldFigures["figures"];

const figureNames = ["accuracy", "loss", "meanAveragePrecision"] as const satisfies readonly FigureName[];

const formats: Readonly<Record<FigureName, (value: number) => string>> = {
  accuracy: formatPercent,
  loss: formatLoss,
  meanAveragePrecision: formatPercent,
};

function headingOf(name: FigureName, isMultiLabel: boolean): string {
  const headings = {
    accuracy: isMultiLabel ? "Exact match" : "Accuracy",
    loss: "Loss",
    meanAveragePrecision: "Mean AP",
  };
  return headings[name];
}

/** Mean and sample standard deviation of each figure that every fold has. */
export function summarizeFolds(folds: readonly FoldFigures[]): Readonly<Record<string, Spread>> {
  return Object.fromEntries(
    figureNames.flatMap((name) => {
      const values = folds.flatMap(({ figures }) => figures[name] ?? []);
      if (values.length === 0 || values.length < folds.length) return [];
      return [[name, spreadOf(values)]];
    }),
  );
}

/** Table of the folds, with mean and deviation in the footer. */
function foldsTable({ folds, isMultiLabel }: Pick<FoldsReport, "folds" | "isMultiLabel">): Section {
  const summary = summarizeFolds(folds);
  const names = figureNames.filter((name) => name in summary);
  const right = (heading: string) => ({ heading, align: "right" }) as const;
  const footer = (["mean", "deviation"] as const).map((key) => [
    key,
    "",
    "",
    "",
    ...names.map((name) => formats[name](summary[name]?.[key] ?? 0)),
    key === "mean" ? formatDuration(folds.reduce((sum, { seconds }) => sum + seconds, 0) / folds.length) : "",
  ]);
  return {
    title: "Folds",
    columns: [
      { heading: "Fold", align: "left" },
      ...["Training", "Images", "Epoch", ...names.map((name) => headingOf(name, isMultiLabel)), "Time"].map(right),
    ],
    rows: folds.map(({ trainImages, images, epoch, seconds, figures }, i) => [
      String(i + 1),
      formatCount(trainImages),
      formatCount(images),
      epoch === undefined ? "–" : formatEpoch(epoch),
      ...names.map((name) => formats[name](figures[name] ?? 0)),
      formatDuration(seconds),
    ]),
    footer,
    notes: [],
  };
}

/** Formats the folds for a terminal. */
export function formatFolds(report: Pick<FoldsReport, "folds" | "isMultiLabel">): string {
  const { columns, rows, footer = [] } = foldsTable(report);
  return formatTable(columns, rows, { footer });
}

/** Renders the page. All text is escaped. */
export function renderFolds(report: FoldsReport): string {
  const { run, command, folds } = report;
  const title = `${report.title}: ${folds.length} folds`;
  const links = folds.map((fold, i) => html`<li><a href="${fold.report}">Fold ${String(i + 1)}</a></li>`);
  const main = html`<h1>${title}</h1>
<p class="lead">Each network is trained on all images but those of its fold, and evaluated on those. Training: images trained on. Images: those of the fold. Epoch: the best one. Deviation: sample standard deviation over the folds.</p>
<section>
<h2>Folds</h2>
${scrollingTable(foldsTable(report))}
<p>Figures are those of the epoch that was best on the fold, so they are slightly optimistic.</p>
</section>
<section>
<h2>Reports</h2>
<ul>${links}</ul>
<p>All folds together are one model: alexnet predict ${run} IMAGE averages their probabilities.</p>
</section>
<section>
<h2>Command</h2>
<pre><code>${command}</code></pre>
</section>`;
  return filePage(title, main);
}
