/** Trains the folds of a cross-validation, one run directory each. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { explainingWrites, writeFileDurably } from "../checkpoint/durable.ts";
import { type FoldFigures, formatFolds, renderFolds, summarizeFolds } from "../report/pages/foldsPage.ts";
import { removeEmptyFolders } from "../runs/runFolders.ts";
import { reportFile, titleOf } from "../runs/runReport.ts";
import { type FoldSettings, planFolds } from "../settings/foldPlans.ts";
import { type RunConfig, readRunConfig } from "../settings/runConfig.ts";
import { type TrainCall, type TrainResult, trainRun } from "./trainClassifier.ts";

/** Settings of a cross-validation, its directory, and callbacks. `folds` is required unless it is resumed. */
export interface TrainFoldsOptions extends FoldSettings, TrainCall {
  /** Called before each fold, with its number from 1. */
  readonly onFold?: (fold: number, of: number) => void;
}

/** Mean and deviation of a figure over the folds. */
export interface FoldStatistics {
  readonly mean: number;
  /** Sample standard deviation, with the divisor n − 1. */
  readonly deviation: number;
}

/** Result of a cross-validation. */
export interface FoldsResult {
  /** Directory of the folds. */
  readonly run: string;
  /** `finished` if all folds are, else the end of the last one. */
  readonly end: TrainResult["end"];
  /** Results of the folds that this call trained, continued or found finished, in order. */
  readonly folds: readonly TrainResult[];
  /** Figures of the best evaluations over all folds; absent until all are finished. */
  readonly figures?: Readonly<Record<string, FoldStatistics>>;
  /** Table of all folds for a terminal; absent until all are finished. */
  readonly table?: string;
}

/**
 * Trains a network for each fold, each validated on the images of its fold, in the run directories fold-1, fold-2, … of a directory. Resuming continues
 * with the first fold that is not finished. The report in the directory has the mean and deviation over the folds.
 *
 * Throws like `trainClassifier`; ConfigError for a directory that contains another run.
 */
export async function trainFolds({ onFold, ...options }: TrainFoldsOptions): Promise<FoldsResult> {
  const { maxMinutes = Number.POSITIVE_INFINITY, signal, observer, command = "trainFolds", ...settings } = options;
  const deadline = performance.now() + maxMinutes * 60_000;
  const { directory, folds, planOf } = await planFolds(settings);
  const created = await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
  const results: TrainResult[] = [];
  try {
    for (let fold = 1; fold <= folds; fold++) {
      const minutes = (deadline - performance.now()) / 60_000;
      if (minutes <= 0) return { run: directory, end: "time", folds: results };
      onFold?.(fold, folds);
      const result = await trainRun(await planOf(fold), {
        command,
        ...(signal ? { signal } : {}),
        ...(observer ? { observer } : {}),
        ...(Number.isFinite(minutes) ? { maxMinutes: minutes } : {}),
      });
      results.push(result);
      if (result.end === "interrupt" || result.end === "time")
        return { run: directory, end: result.end, folds: results };
    }
  } finally {
    await removeEmptyFolders(directory, created);
  }
  return { run: directory, end: "finished", folds: results, ...(await writeFoldsReport(directory, results)) };
}

/** Writes the report of all folds. Returns mean and deviation of each figure, and the table. */
async function writeFoldsReport(
  directory: string,
  results: readonly TrainResult[],
): Promise<Required<Pick<FoldsResult, "figures" | "table">>> {
  const configs = await Promise.all(results.map(({ run }) => readRunConfig(run)));
  const folds = results.map(({ run, best, last }, i): FoldFigures => {
    const { trainImages, testImages } = (configs[i] as RunConfig).dataset;
    const figures = {
      ...(best?.testAccuracy === undefined ? {} : { accuracy: best.testAccuracy }),
      ...(best?.testLoss === undefined ? {} : { loss: best.testLoss }),
      ...(best?.testMeanAveragePrecision === undefined ? {} : { meanAveragePrecision: best.testMeanAveragePrecision }),
    };
    const report = reportFile(run).slice(dirname(run).length + 1);
    return { report, trainImages, images: testImages, epoch: best?.epoch, seconds: last?.seconds ?? 0, figures };
  });
  const first = configs[0] as RunConfig;
  const isMultiLabel = first.head !== undefined;
  const page = renderFolds({ title: titleOf(first), run: directory, command: first.command, isMultiLabel, folds });
  await writeFileDurably(reportFile(directory), page);
  return { figures: summarizeFolds(folds), table: formatFolds({ folds, isMultiLabel }) };
}
