import { basename, join } from "node:path";
import { writeFileDurably } from "../checkpoint/durable.ts";
import type { LogEntry } from "../checkpoint/runLog.ts";
import { batches } from "../dataset/batches.ts";
import { type Dataset, limitSplit } from "../dataset/dataset.ts";
import { createPreparation } from "../dataset/preparation.ts";
import type { Program } from "../engine/engine.ts";
import { encodePng } from "../image/decode.ts";
import { drawCurves } from "../report/curves.ts";
import { type ReportPrediction, type ReportSection, renderReport } from "../report/html.ts";
import { evaluationCharts, logCharts } from "../report/runCharts.ts";
import { sizeOf } from "../shape.ts";
import { describeClassWeights } from "../training/classWeights.ts";
import { type Evaluation, softmax } from "../training/metrics.ts";
import { describeOptimizer } from "../training/optimizer.ts";
import { writeChart } from "./chartFiles.ts";
import { describeFineTuning } from "./fineTuning.ts";
import type { RunConfig } from "./runConfig.ts";
import { watchedSplit } from "./runSetup.ts";

/** Test images that a report shows. */
const SHOWN_IMAGES = 24;

function titleOf({ network, dataset }: RunConfig): string {
  return `${network.name} on ${basename(dataset.name)}`;
}

/** Draws curves.svg and curves.png of a run directory. Returns the SVG. */
export async function writeCurves(directory: string, config: RunConfig, log: readonly LogEntry[]): Promise<string> {
  const svg = await drawCurves(log, { title: titleOf(config), format: "wide" });
  await writeChart(directory, { name: "curves", svg });
  return svg;
}

/** The path of a run directory's report. */
export function reportFile(directory: string): string {
  return join(directory, "report.html");
}

export interface RunReport {
  readonly directory: string;
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly program: Program;
  readonly log: readonly LogEntry[];
  readonly evaluation: Evaluation | undefined;
  readonly device: string;
}

/** Writes report.html of a run directory, and each of its figures as a file. */
export async function writeReport(run: RunReport): Promise<void> {
  const { directory, config, log, evaluation, device } = run;
  const title = titleOf(config);
  const last = log.findLast((entry) => entry.testAccuracy !== undefined) ?? log.at(-1);
  const { source, name, deviations } = config.network;
  const charts = [...(evaluation ? await evaluationCharts(evaluation, title) : []), ...(await logCharts(log, title))];
  for (const chart of charts) await writeChart(directory, chart);
  const page = renderReport({
    title,
    results: {
      epochs: last?.epoch ?? 0,
      iterations: last?.iteration ?? 0,
      seconds: last?.seconds ?? 0,
      ...(last ? { trainLoss: last.trainLoss, trainAccuracy: last.trainAccuracy } : {}),
      ...(last ? { examplesPerSecond: last.examplesPerSecond } : {}),
      device,
    },
    curves: {
      wide: await writeCurves(directory, config, log),
      narrow: await drawCurves(log, { title, format: "narrow" }),
    },
    charts,
    ...(evaluation ? { evaluation } : {}),
    worstMistakes: await mistakesOf(run),
    predictions: await shownPredictions(run),
    configuration: configurationOf(config),
    command: config.command,
    network: { name, source, deviations },
  });
  await writeFileDurably(reportFile(directory), page);
}

async function mistakesOf({ evaluation, dataset }: RunReport): Promise<readonly ReportPrediction[]> {
  const split = watchedSplit(dataset);
  const shown: ReportPrediction[] = [];
  for (const { index, className, predicted, probability } of evaluation?.worstMistakes ?? []) {
    const png = await encodePng(split.image(index));
    shown.push({ png, trueClass: className, predictedClass: predicted, probability });
  }
  return shown;
}

/** What the network says of the first test images. */
async function shownPredictions({ config, dataset, program }: RunReport): Promise<readonly ReportPrediction[]> {
  const { preprocessing, recipe } = config;
  const { classNames } = config.dataset;
  const split = limitSplit(watchedSplit(dataset), SHOWN_IMAGES);
  const shown: ReportPrediction[] = [];
  const { batchSize, input } = program;
  const preparation = createPreparation({ preprocessing });
  for await (const batch of batches({ split, preparation, batchSize, into: input })) {
    const draws = { seed: recipe.seed, first: shown.length };
    const logits = await program.forward(batch.images, batch.count, draws);
    const classes = sizeOf(program.outputShape);
    for (let row = 0; row < batch.count; row++) {
      const index = batch.indices[row] as number;
      const probabilities = softmax(logits.subarray(row * classes, (row + 1) * classes));
      const probability = Math.max(...probabilities);
      const nameOf = (label: number) => classNames[label] ?? String(label);
      shown.push({
        png: await encodePng(split.image(index)),
        trueClass: nameOf(split.label(index)),
        predictedClass: nameOf(probabilities.indexOf(probability)),
        probability,
      });
    }
  }
  return shown;
}

function configurationOf({
  dataset,
  network,
  recipe,
  preprocessing,
  engine,
  precision,
  machine,
  started,
  fineTuning,
}: RunConfig) {
  const { schedule, initializer, earlyStopping: stopping } = recipe;
  const sections: readonly ReportSection[] = [
    {
      heading: "Data",
      rows: [
        ["data set", dataset.name],
        ["found in", dataset.source],
        ["training images", String(dataset.trainImages)],
        [`${dataset.watched} images`, String(dataset.testImages)],
        ["input", `${network.input.join("×")}, ${preprocessing.fit.kind}, ${preprocessing.resize}`],
        ["mean", preprocessing.mean.join(", ")],
        ["deviation", preprocessing.deviation.join(", ")],
      ],
    },
    {
      heading: `Recipe ${recipe.name}`,
      rows: [
        ["source", recipe.source],
        ["deviations", recipe.deviations.join("; ") || "none"],
        ["epochs", String(recipe.epochs)],
        ["batch size", String(recipe.batchSize)],
        [
          "learning rate",
          `${recipe.learningRate}, ${schedule.kind}${recipe.warmup > 0 ? `, ${recipe.warmup} epochs of warm-up` : ""}`,
        ],
        ["augmentation", Object.keys(recipe.augmentation).join(", ") || "none"],
        ["optimizer", describeOptimizer(recipe)],
        ["loss", `cross-entropy, label smoothing ${recipe.labelSmoothing}, mixup ${recipe.mixup}`],
        ["class weights", describeClassWeights(recipe.classWeights)],
        ["sampler", recipe.sampler],
        ["early stopping", stopping ? `after ${stopping.patience} evaluations, above ${stopping.minDelta}` : "none"],
        ["initial weights", `${initializer.weight.kind}, biases ${initializer.bias}`],
        ["seed", String(recipe.seed)],
      ],
    },
    {
      heading: "Machine",
      rows: [
        ["engine", engine.description],
        ["precision", precision],
        ["processor", machine.cpu],
        ["system", machine.system],
        ["Node.js", machine.node],
        ["alexnet", machine.alexnet],
        ["started", started],
      ],
    },
  ];
  return fineTuning ? [{ heading: "Fine-tuning", rows: describeFineTuning(fineTuning) }, ...sections] : sections;
}
