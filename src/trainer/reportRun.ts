/** Report of a finished run, with the weights that `evaluate` and `predict` use. */
import { basename } from "node:path";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { loadModel, readWeights } from "../checkpoint/model.ts";
import type { TensorStore } from "../checkpoint/tensorStore.ts";
import type { Program } from "../engine/engine.ts";
import { CheckpointError } from "../errors.ts";
import { writeReport } from "../runs/runReport.ts";
import { headOfLabels } from "../training/evaluation/classHead.ts";
import { evaluate } from "../training/evaluation/evaluate.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { thresholdsOf } from "../training/evaluation/multiLabel.ts";
import type { LoadedRun } from "./loadRun.ts";
import type { TrainObserver } from "./trainObserver.ts";

/** A run, and the program of the process that reports it. */
export interface ReportedRun
  extends Pick<LoadedRun, "directory" | "config" | "log" | "training" | "dataset" | "device"> {
  readonly program: Program;
  /** The program's weights. */
  readonly weights: TensorStore;
}

/** Evaluation of weights that were saved after an iteration. */
export interface ReportedEvaluation {
  readonly iteration: number | undefined;
  readonly evaluation: Evaluation;
}

/**
 * Writes the report with the weights that `evaluate` and `predict` use: the best, or the last ones if those are unreadable. They stay in the program.
 * `known` is the evaluation of the best weights, if this call made it. Undefined if the signal ended the evaluation.
 */
export async function reportBest(
  run: ReportedRun,
  known: Evaluation | undefined,
  { observer, signal }: { readonly observer?: TrainObserver; readonly signal?: AbortSignal },
): Promise<ReportedEvaluation | undefined> {
  const { config, training, weights, program } = run;
  const { test: split, preparation, classNames } = training;
  const { best, last } = checkpointFiles(run.directory);
  const isBest = await hasRead(best, weights, observer);
  const file = isBest ? best : last;
  if (!isBest) await readWeights(last, weights);
  const model = await loadModel(file);
  const { iteration } = model.metrics;
  const { seed } = config.recipe;
  // Evaluations in training use a threshold of 0.5.
  const made = isBest && !model.thresholds ? known : undefined;
  const options = { split, preparation, classNames, head: headOfLabels(split), threshold: thresholdsOf(model), seed };
  const evaluation = made ?? (await evaluate(program, { ...options, signal }));
  if (!evaluation) return undefined;
  await writeReport({ ...run, model, file: basename(file), iteration, evaluation });
  return { iteration, evaluation };
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
