/** Temperature and rejection threshold of a trained network, fitted on validation images and stored with its weights. */
import { dirname } from "node:path";
import type { Decision } from "../checkpoint/metadata.ts";
import { storeDecision } from "../checkpoint/storeDecision.ts";
import { createThreadedPreparation } from "../dataset/prepare/threadedPreparation.ts";
import { directoryHolder } from "../directoryLock.ts";
import { ConfigError } from "../errors.ts";
import { classesOf } from "../network/network.ts";
import { type ClassHead, classHeadOf, type Scores } from "../training/evaluation/classHead.ts";
import { bestOf } from "../training/evaluation/metrics.ts";
import { chooseThreshold, type RejectionGoal } from "../training/evaluation/rejection.ts";
import { scoreSplit } from "../training/evaluation/scores.ts";
import { fitTemperature, type LabelledScores } from "../training/evaluation/temperature.ts";
import { type EvaluationDataOptions, loadEvaluationData } from "./evaluationData.ts";
import { type ClassModel, type OpenOptions, openClassModel } from "./openModel.ts";

/** Choice of temperature and threshold. */
export interface FitDecisionOptions extends OpenOptions, EvaluationDataOptions, RejectionGoal {
  /** `fit`: fits the temperature. `remove`: removes temperature and thresholds. Default: keeps the temperature. */
  readonly temperature?: "fit" | "remove";
  /** Random seed of dropout that is active at evaluation. Default 0. */
  readonly seed?: number;
  /** Called after each batch. */
  readonly onProgress?: (images: number, of: number) => void;
}

/** Result of fitting. */
export interface FittedDecision {
  readonly temperature: number;
  /** Minimum probability of the predicted class; absent if there is none. */
  readonly threshold?: number;
  /** Number of images it was fitted on, and their part of the data set. */
  readonly images: number;
  readonly part: string;
  /** Mean cross-entropy of these images, at temperature 1 and at the fitted one. */
  readonly loss: { readonly before: number; readonly after: number };
}

/**
 * Fits temperature and rejection threshold on the validation images of a run's data set, or on half of the images if one set serves for validation and
 * test, and stores them in the weights file. `evaluate` with `held: "rest"` uses the other images. Undefined for `remove`.
 *
 * Throws ConfigError for a multi-label network, another program's file, or a run that is being trained; DataError if no temperature or threshold fits.
 */
export async function fitDecision(path: string, options: FitDecisionOptions): Promise<FittedDecision | undefined> {
  const { temperature: choice, onMessage } = options;
  const opened = await openClassModel(path, options);
  try {
    const { file, model } = opened;
    await requireOwn(opened);
    if (choice === "remove") {
      await storeDecision(file, {});
      return undefined;
    }
    const plain = classHeadOf(model.head, classesOf(model.network), file);
    const { data, part } = await scoresOf(opened, plain, options);
    const temperature = choice === "fit" ? fitTemperature(data, plain) : (model.temperature ?? 1);
    const isGoal = options.coverage !== undefined || options.maxError !== undefined;
    const threshold = isGoal ? chooseThreshold(confidencesOf(data, plain, temperature), options) : undefined;
    if (threshold === undefined && model.thresholds) {
      onMessage?.(`${file}: removed the threshold, which belonged to another temperature; choose one with --coverage`);
    }
    await storeDecision(file, decisionOf(temperature, threshold, model.classNames.length));
    const loss = { before: lossOf(data, plain, 1), after: lossOf(data, plain, temperature) };
    return { temperature, ...(threshold === undefined ? {} : { threshold }), images: data.rows.length, part, loss };
  } finally {
    opened.close();
  }
}

function decisionOf(temperature: number, threshold: number | undefined, classes: number): Decision {
  return {
    ...(temperature === 1 ? {} : { temperature }),
    ...(threshold === undefined ? {} : { thresholds: new Array<number>(classes).fill(threshold) }),
  };
}

/** Throws ConfigError for a network whose weights file cannot store a temperature. */
async function requireOwn({ path, file, head, isForeign }: ClassModel): Promise<void> {
  if (head.isMultiLabel) {
    throw new ConfigError(
      `temperature: ${file} is a multi-label network, whose thresholds training fits; omit --temperature, --coverage and --max-error`,
    );
  }
  if (isForeign) {
    throw new ConfigError(
      `temperature: ${path} is another program's file, which cannot store it; import it first: alexnet import ${path}`,
    );
  }
  const holder = await directoryHolder(dirname(file));
  if (holder !== undefined) {
    throw new ConfigError(
      `temperature: ${dirname(file)} is in use by process ${holder}; wait for the end of its training`,
    );
  }
}

/** Scores of the validation images, without a temperature. */
async function scoresOf(
  { path, file, model, program, threads, isForeign }: ClassModel,
  head: ClassHead,
  options: FitDecisionOptions,
): Promise<{ readonly data: LabelledScores; readonly part: string }> {
  const { seed = 0, signal } = options;
  const loaded = await loadEvaluationData(path, file, model, { ...options, isForeign, held: "fit" });
  const preparation = createThreadedPreparation({ preprocessing: model.preprocessing, threads });
  try {
    const { split, part } = loaded;
    const [rows, all]: [Scores[], number[]] = [[], []];
    for await (const { scores, labels, count } of scoreSplit(program, { split, preparation, seed, head, signal })) {
      const classes = model.classNames.length;
      for (let row = 0; row < count; row++) {
        rows.push(scores.slice(row * classes, (row + 1) * classes));
        all.push(labels[row] as number);
      }
      options.onProgress?.(rows.length, split.length);
    }
    signal?.throwIfAborted();
    return { data: { rows, labels: all }, part };
  } finally {
    preparation.close();
    loaded.close();
  }
}

/** Scores at a temperature. */
function divided(row: Scores, temperature: number): Float64Array {
  return Float64Array.from(row, (score) => score / temperature);
}

function confidencesOf({ rows, labels }: LabelledScores, head: ClassHead, temperature: number) {
  return rows.map((row, i) => {
    const predicted = bestOf(row);
    const probability = head.probabilities(divided(row, temperature))[predicted] as number;
    return { probability, isCorrect: predicted === labels[i] };
  });
}

function lossOf({ rows, labels }: LabelledScores, head: ClassHead, temperature: number): number {
  const losses = rows.map((row, i) => head.judge(divided(row, temperature), 0, labels[i] as number).loss);
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}
