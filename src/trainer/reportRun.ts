/** Report of a finished run, with the weights that `evaluate` and `predict` use. */
import { basename } from "node:path";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { writeFileDurably } from "../checkpoint/durable.ts";
import { loadModel, readWeights } from "../checkpoint/model.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import type { Engine, Program } from "../engine/engine.ts";
import { CheckpointError } from "../errors.ts";
import { classesOf } from "../network/network.ts";
import { csvLine, predictionHeadings, predictionRow } from "../report/csv.ts";
import { predictionsFile, writeReport } from "../runs/runReport.ts";
import { headOfModel } from "../training/evaluation/classHead.ts";
import { evaluateInDetail } from "../training/evaluation/evaluate.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { thresholdsOf } from "../training/evaluation/multiLabel.ts";
import { scoreSplit } from "../training/evaluation/scores.ts";
import type { LoadedRun } from "./loadRun.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** A run, and the program of the process that reports it. */
export interface ReportedRun
  extends Pick<LoadedRun, "directory" | "config" | "log" | "training" | "dataset" | "device"> {
  readonly program: Program;
  /** Engine of the program. */
  readonly engine: Engine;
  /** The program's weights. */
  readonly weights: TensorStore;
}

/**
 * Writes the report, and predictions.csv, with the weights that `evaluate` and `predict` use: the best, or the last ones if those are unreadable. They
 * stay in the program. Returns their evaluation; undefined if the signal ended it.
 */
export async function reportBest(
  run: ReportedRun,
  { observer, signal }: { readonly observer?: TrainObserver; readonly signal?: AbortSignal },
): Promise<Evaluation | undefined> {
  const { directory, config, training, weights, program } = run;
  const { test: split, preparation, classNames } = training;
  const { best, last } = checkpointFiles(directory);
  const isBest = await hasRead(best, weights, observer);
  const file = isBest ? best : last;
  if (!isBest) await readWeights(last, weights);
  const model = await loadModel(file);
  const { iteration } = model.metrics;
  const head = headOfModel(model, classesOf(model.network), file);
  const lines = [csvLine(predictionHeadings)];
  const evaluation = await evaluateInDetail(
    scoreSplit(program, { split, preparation, seed: config.recipe.seed, head, signal }),
    {
      ...{ split, classNames, head, threshold: thresholdsOf(model), signal },
      onPrediction: (prediction) => lines.push(csvLine(predictionRow(prediction))),
    },
  );
  if (!evaluation) return undefined;
  await writeFileDurably(predictionsFile(directory), lines.join(""));
  await writeReport({ ...run, model, file: basename(file), iteration, evaluation });
  return evaluation;
}

/** Fills a store with the best weights. False if there are none, or they are unreadable. */
async function hasRead(best: string, weights: TensorStore, observer: TrainObserver | undefined): Promise<boolean> {
  if (!(await fileExists(best))) return false;
  try {
    await readWeights(best, weights);
    return true;
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    observer?.onMessage?.(`${error.message}; the report shows the last weights`);
    return false;
  }
}
