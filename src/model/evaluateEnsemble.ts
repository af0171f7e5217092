/** Evaluation of an ensemble of trained networks. */
import { createThreadedPreparation } from "../dataset/prepare/threadedPreparation.ts";
import { checkSamePictures, columnsOf, type Member, scoreEnsemble } from "../training/evaluation/ensemble.ts";
import { evaluateInDetail } from "../training/evaluation/evaluate.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { thresholdOf, thresholdsOf } from "../training/evaluation/multiLabel.ts";
import { scoreSplit } from "../training/evaluation/scores.ts";
import type { EvaluateRunOptions } from "./classifier.ts";
import { checkSameHeads, classesOf, meanThresholds } from "./ensembleModels.ts";
import { type EvaluationData, loadEvaluationData } from "./evaluationData.ts";
import { evaluationViews } from "./evaluationViews.ts";
import { expandFolds } from "./foldRuns.ts";
import { type ClassModel, type OpenOptions, openClassModel } from "./openModel.ts";
import { noteSingleLabels } from "./predictRows.ts";

/** Result of one network of the ensemble. */
export interface EnsembleRun {
  readonly file: string;
  readonly network: string;
  /** With label sets, the exact match at its own thresholds, or at the given one. */
  readonly top1Accuracy: number;
  /** True if its predictions are random, since dropout stays active. */
  readonly isRandom: boolean;
}

/** Evaluation of the ensemble, and of each network. */
export interface EnsembleEvaluation extends Evaluation {
  readonly runs: readonly EnsembleRun[];
}

/**
 * Averages the probabilities of several runs (their best weights), all folds of a cross-validation, or weights files over the same images, each prepared by its run's own
 * preprocessing. All networks are in memory at the same time, and the probabilities of all images: 9 bytes per image and class. Undefined if it was aborted.
 *
 * Throws ConfigError if heads, classes or images differ, or if `tenCrop` is requested and a fit has no ten views.
 */
export async function evaluateEnsemble(
  paths: readonly string[],
  options: OpenOptions & EvaluateRunOptions = {},
): Promise<EnsembleEvaluation | undefined> {
  const opened: ClassModel[] = [];
  const data: EvaluationData[] = [];
  try {
    for (const path of await expandFolds(paths)) opened.push(await openClassModel(path, options));
    checkSameHeads(opened, options.threshold);
    const members = await membersOf(opened, data, options);
    return await evaluateMembers(opened, members, data, options);
  } finally {
    for (const { close } of [...data, ...opened]) close();
  }
}

/** A member without its callback. */
type Prepared = Omit<Member, "onCorrect">;

/** Loads the images of each network. `data` receives them for closing, also if this throws. */
async function membersOf(
  opened: readonly ClassModel[],
  data: EvaluationData[],
  { tenCrop = false, flip = false, samples = 1, seed = 0, threshold, ...options }: EvaluateRunOptions,
): Promise<readonly Prepared[]> {
  const classNames = classesOf(opened);
  const ways = opened.map((each) => ({
    columns: columnsOf(classNames, each.model.classNames, each.file),
    views: evaluationViews(each, { tenCrop, flip, samples }),
  }));
  const members: Prepared[] = [];
  for (const [i, { path, file, model, isForeign, head, program, threads }] of opened.entries()) {
    const own = await loadEvaluationData(path, file, { ...model, classNames }, { ...options, isForeign });
    const preparation = createThreadedPreparation({ preprocessing: model.preprocessing, threads });
    const { split } = own;
    const close = () => {
      preparation.close();
      own.close();
    };
    data.push({ ...own, close });
    checkSamePictures((data[0] as EvaluationData).split, split, file);
    const { columns, views } = ways[i] as (typeof ways)[number];
    const thresholds = thresholdsOf(model, threshold);
    members.push({
      columns,
      lowest: columns.map((column) => head.scoreOf(thresholdOf(thresholds, column))),
      scored: scoreSplit(program, { split, preparation, seed, views, head, signal: options.signal }),
    });
  }
  return members;
}

async function evaluateMembers(
  opened: readonly ClassModel[],
  members: readonly Prepared[],
  data: readonly EvaluationData[],
  { onProgress, onPrediction, onMessage, signal, threshold }: EvaluateRunOptions,
): Promise<EnsembleEvaluation | undefined> {
  const [first] = data;
  const [model] = opened;
  if (!first || !model) return undefined;
  const { split } = first;
  const { head } = model;
  noteSingleLabels(head, split, onMessage);
  const right = members.map(() => 0);
  const scored = scoreEnsemble(
    members.map((member, i) => ({
      ...member,
      onCorrect: (correct) => {
        right[i] = (right[i] as number) + correct;
      },
    })),
    head,
    split.labelSets,
  );
  const evaluation = await evaluateInDetail(scored, {
    split,
    classNames: classesOf(opened),
    head,
    threshold: meanThresholds(opened, threshold),
    onProgress: (images) => onProgress?.(images, split.length),
    onPrediction,
    signal,
  });
  if (!evaluation) return undefined;
  const runs = opened.map(({ file, model, isRandom }, i) => {
    return { file, network: model.network.name, top1Accuracy: (right[i] as number) / evaluation.images, isRandom };
  });
  return { ...evaluation, runs };
}
