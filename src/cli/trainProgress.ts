/** Progress lines of a training run. */
import { basename } from "node:path";
import { formatBytes } from "../bytes.ts";
import type { LogEntry } from "../checkpoint/runLog.ts";
import { formatDuration, formatEpoch, formatLoss, formatPercent, formatRate } from "../report/numbers.ts";
import { describeFineTuning } from "../settings/fineTuning.ts";
import type { TrainObserver, TrainProgress } from "../trainer/trainObserver.ts";
import { printError } from "./output.ts";
import { imageProgress, progressLine } from "./progress.ts";

/** Progress lines for the stages of a run, of which one is shown at a time; `prefix` begins those of training, such as the fold. */
export function trainProgress(prefix: () => string = () => "") {
  const training = progressLine(() => `${prefix()}train`);
  const evaluating = progressLine(() => `${prefix()}test `);
  const downloading = progressLine("download");
  const packing = imageProgress("pack ");
  const keeping = imageProgress("features");
  const clear = () => {
    for (const line of [training, evaluating, downloading, packing, keeping]) line.clear();
  };
  return { training, evaluating, downloading, packing, keeping, clear };
}

type Lines = ReturnType<typeof trainProgress>;

/** Observer that shows download, packing and feature caching. */
export function showingData({
  downloading,
  packing,
  keeping,
  clear,
}: Pick<Lines, "downloading" | "packing" | "keeping" | "clear">): TrainObserver {
  return {
    onDownload: (bytes, of) => downloading.update(bytes, of, `${formatBytes(bytes)} of ${formatBytes(of)}`),
    onPacking(images, of) {
      downloading.clear();
      packing.update(images, of);
    },
    onFeatures(images, of) {
      packing.clear();
      keeping.update(images, of);
    },
    onMessage(message) {
      clear();
      printError(message);
    },
  };
}

/** Observer that shows a run. */
export function showing(lines: Lines): TrainObserver {
  const { training, evaluating, clear } = lines;
  return {
    ...showingData(lines),
    onStart({ directory, config, epoch }) {
      clear();
      const { network, dataset, recipe, engine, machine, precision, fineTuning } = config;
      const from = epoch > 0 ? `, from epoch ${formatEpoch(epoch)}` : "";
      printError(
        `${network.name} (${network.input.join("×")}) on ${basename(dataset.name)}: ${dataset.trainImages} images, recipe ${recipe.name}${from}`,
      );
      for (const [what, value] of fineTuning ? describeFineTuning(fineTuning) : []) printError(`${what}: ${value}`);
      printError(`${engine.description}, ${precision}, ${machine.cpu}`);
      printError(`run directory ${directory}`);
    },
    onProgress(progress) {
      evaluating.clear();
      training.update(progress.images, progress.totalImages, progressText(progress));
    },
    onEvaluationProgress(images, of) {
      training.clear();
      evaluating.update(images, of, `${images} of ${of} images`);
    },
    onEpoch(entry) {
      clear();
      printError(epochLine(entry));
    },
  };
}

function progressText({
  epoch,
  epochs,
  loss,
  accuracy,
  examplesPerSecond,
  images,
  totalImages,
}: TrainProgress): string {
  const left = formatDuration((totalImages - images) / examplesPerSecond);
  const current = Math.min(Math.floor(epoch) + 1, Math.ceil(epochs));
  return `epoch ${current}/${epochs} loss ${formatLoss(loss)} acc ${formatPercent(accuracy)} ${formatRate(examplesPerSecond, "images")} ${left} left`;
}

function epochLine(entry: LogEntry): string {
  return `epoch ${formatEpoch(entry.epoch)}: ${epochFigures(entry)}`;
}

/** Losses and accuracies of an epoch; exact match and mean average precision of a multi-label network. */
export function epochFigures(entry: LogEntry): string {
  const { trainLoss, trainAccuracy, testAccuracy = 0, testMeanAveragePrecision: ranking } = entry;
  const loss = `train loss ${formatLoss(trainLoss)}`;
  const [train, test] = [formatPercent(trainAccuracy), formatPercent(testAccuracy)];
  if (ranking === undefined) return `${loss}, train accuracy ${train}, test accuracy ${test}`;
  return `${loss}, exact match ${train} train, ${test} test; test mean average precision ${formatPercent(ranking)}`;
}
