/** Curves and report of a run directory. */

import { basename, join } from "node:path";
import { writeFileDurably } from "../checkpoint/durable.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { evaluationsOf, type LogEntry } from "../checkpoint/runLog.ts";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { type Dataset, validationSplit } from "../dataset/dataset.ts";
import type { Engine, Program } from "../engine/engine.ts";
import { featureMapLayer } from "../explain/classActivation.ts";
import { drawKernels } from "../explain/filterFigure.ts";
import { describeKernels, findFirstKernels, kernelImages } from "../explain/firstKernels.ts";
import { createGradCam, type GradCamExplainer } from "../explain/gradCam.ts";
import { readModel } from "../model/modelFile.ts";
import type { Network } from "../network/network.ts";
import { summarize } from "../network/summary.ts";
import { accuracyNameOf } from "../report/accuracyName.ts";
import { curvesOf } from "../report/charts/curveSeries.ts";
import { type CurveOptions, drawCurves } from "../report/charts/curves.ts";
import { evaluationCharts } from "../report/charts/evaluationCharts.ts";
import { logCharts } from "../report/charts/paceChart.ts";
import { drawNetwork, drawNetworkWithin } from "../report/figures/drawing.ts";
import { toPng } from "../report/figures/png.ts";
import { drawGallery } from "../report/pages/gallery.ts";
import { describeCurves, type ReportChart } from "../report/pages/htmlParts.ts";
import { type ReportSection, renderReport } from "../report/pages/reportPage.ts";
import { layerOverview } from "../report/tables/networkTables.ts";
import { describeFineTuning } from "../settings/fineTuning.ts";
import { type RunConfig, settingRows } from "../settings/runConfig.ts";
import { sizeOf } from "../shape.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { changesSmoothly } from "../training/schedule.ts";
import { writeChart } from "./chartFiles.ts";
import { galleriesOf } from "./reportGalleries.ts";

/** Title of a run's figures: network and data set. */
export function titleOf({ network, dataset }: RunConfig): string {
  return `${network.name} on ${basename(dataset.name)}`;
}

/** Title of a run's curves, and name of its accuracy. */
export function curveOptionsOf(config: RunConfig): Required<Omit<CurveOptions, "format">> {
  return { title: titleOf(config), accuracy: accuracyNameOf(config.head !== undefined) };
}

/** Draws curves.svg and curves.png of a run directory. Returns the SVG. */
export async function writeCurves(directory: string, config: RunConfig, log: readonly LogEntry[]): Promise<string> {
  const svg = await drawCurves(curvesOf(log), { ...curveOptionsOf(config), format: "wide" });
  await writeChart(directory, { name: "curves", svg });
  return svg;
}

/** Path of a run directory's report. */
export function reportFile(directory: string): string {
  return join(directory, "report.html");
}

/** Path of the predictions that a run's report evaluates, one line per image. */
export function predictionsFile(directory: string): string {
  return join(directory, "predictions.csv");
}

export interface RunReport {
  readonly directory: string;
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly program: Program;
  /** Engine of the program. */
  readonly engine: Engine;
  /** Weights of the whole network, equal to those in the program. */
  readonly weights: TensorSource;
  readonly log: readonly LogEntry[];
  /** Evaluation of these weights. */
  readonly evaluation: Evaluation;
  /** Model of these weights. */
  readonly model: Model;
  /** Name of the weights file, and the iteration it was saved after. */
  readonly file: string;
  readonly iteration: number | undefined;
  readonly device: string;
}

/** Writes report.html of a run directory, and each of its figures as a file. */
export async function writeReport(run: RunReport): Promise<void> {
  const { directory, config, log, evaluation, device, file } = run;
  const title = titleOf(config);
  const evaluations = evaluationsOf(log);
  const last = evaluations.at(-1) ?? log.at(-1);
  const shown = evaluations.find(({ iteration }) => iteration === run.iteration);
  const { network } = config;
  const { source, name, deviations } = network;
  const isSmooth = (epoch: number) => changesSmoothly(config.recipe, epoch);
  const charts = [...(await evaluationCharts(evaluation, title)), ...(await logCharts(log, title, isSmooth))];
  for (const chart of charts) await writeChart(directory, chart);
  const filters = await filterChart(run);
  if (filters) await writeFileDurably(join(directory, "filters.png"), toPng(filters.svg));
  const drawing = networkDrawing(network);
  await writeFileDurably(join(directory, "network.svg"), drawNetwork(network, "light"));
  const explainer = await gradCamOf(run);
  const galleries = await galleriesOf({ ...run, explainer }, evaluation).finally(() => explainer?.close());
  for (const gallery of galleries) {
    await writeFileDurably(join(directory, `${gallery.name}.png`), toPng(drawGallery(title, gallery)));
  }
  const page = renderReport({
    title,
    results: {
      epochs: last?.epoch ?? 0,
      iterations: last?.iteration ?? 0,
      seconds: last?.seconds ?? 0,
      ...(last ? { trainLoss: last.trainLoss, trainAccuracy: last.trainAccuracy } : {}),
      ...(last ? { examplesPerSecond: last.examplesPerSecond } : {}),
      device,
      weights: { file, ...(shown ? { epoch: shown.epoch } : {}) },
      ...(last?.testAccuracy === undefined ? {} : { last: { epoch: last.epoch, accuracy: last.testAccuracy } }),
    },
    curves: {
      wide: await writeCurves(directory, config, log),
      narrow: await drawCurves(curvesOf(log), { ...curveOptionsOf(config), format: "narrow" }),
      description: describeCurves(curveOptionsOf(config).accuracy),
    },
    charts: filters ? [...charts, filters] : charts,
    evaluation,
    galleries,
    configuration: configurationOf(config),
    command: config.command,
    network: { name, source, deviations, drawing, layers: layerOverview(summarize(network)) },
  });
  await writeFileDurably(reportFile(directory), page);
}

/** Grad-CAM of the reported weights; undefined if the network has no feature maps, or images have several labels. */
async function gradCamOf({
  directory,
  file,
  config,
  dataset,
  engine,
}: RunReport): Promise<GradCamExplainer | undefined> {
  if (featureMapLayer(config.network) === undefined || validationSplit(dataset).labelSets) return undefined;
  return createGradCam(await readModel(join(directory, file)), engine);
}

/** Figure of the first layer's kernels; undefined if they cannot be drawn. */
async function filterChart({ config: { network }, weights }: RunReport): Promise<ReportChart | undefined> {
  const first = findFirstKernels(network);
  if (!first) return undefined;
  const values = await weights.read(first.tensor, new Float32Array(sizeOf(first.shape)));
  return {
    heading: "The first layer's filters",
    description: `${describeKernels(first)}.`,
    svg: await drawKernels(network, first, kernelImages(first, values)),
  };
}

/** Width of a page's column, and of the drawing on narrower pages, which scroll it below this width. */
const [COLUMN, COMPACT_COLUMN] = [928, 600];

/** Drawing of a network for a page: in rows that fit its column, and narrower ones. */
export function networkDrawing(network: Network): ReportChart {
  return {
    heading: "Drawing",
    description:
      "From the image to the classes, with sizes below each block. A row that continues another begins with a pale block.",
    svg: drawNetworkWithin(network, "light", COLUMN),
    compact: drawNetworkWithin(network, "light", COMPACT_COLUMN),
  };
}

/** Rounds to five digits; config.json has all of them. */
function shortened(value: number): number {
  return Number(value.toPrecision(5));
}

function configurationOf(config: RunConfig) {
  const { dataset, network, recipe, preprocessing, engine, precision, machine, started, fineTuning } = config;
  const { initializer } = recipe;
  const sections: readonly ReportSection[] = [
    {
      heading: "Data",
      rows: [
        ["data set", dataset.name],
        ["directory", dataset.source],
        ["training images", String(dataset.trainImages)],
        [`${dataset.watched} images`, String(dataset.testImages)],
        ["input", `${network.input.join("×")}, ${preprocessing.fit.kind}, ${preprocessing.resize}`],
        ["mean", preprocessing.mean.map(shortened).join(", ")],
        ["deviation", preprocessing.deviation.map(shortened).join(", ")],
        ...settingRows(config, "dataset"),
      ],
    },
    {
      heading: `Recipe ${recipe.name}`,
      rows: [
        ["source", recipe.source],
        ["deviations", recipe.deviations.join("; ") || "none"],
        ...settingRows(config, "recipe"),
        ["initial weights", `${initializer.weight.kind}, biases ${initializer.bias}`],
        ...Object.entries(initializer.layers ?? {}).map(
          ([layer, weight]) => [`initial weights of ${layer}`, weight.kind] as const,
        ),
      ],
    },
    {
      heading: "Machine",
      rows: [
        ["engine", engine.description],
        ["precision", precision],
        ["processor", machine.cpu],
        ...processRows(config),
        ["system", machine.system],
        ["Node.js", machine.node],
        ["alexnet", machine.alexnet],
        ["started", started],
      ],
    },
  ];
  return fineTuning ? [{ heading: "Fine-tuning", rows: describeFineTuning(fineTuning) }, ...sections] : sections;
}

/** Row of a run of several processes. */
function processRows({ processes, parallel, mpi }: RunConfig): readonly (readonly [name: string, value: string])[] {
  if (processes === undefined || mpi === undefined) return [];
  return [["processes", `${processes}, ${parallel} parallel, ${mpi.name} ${mpi.version}`]];
}
