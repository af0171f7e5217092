/** Several trained networks measured as one. */
import { createPreparation } from "../dataset/prepare/preparation.ts";
import { tenCropViews } from "../image/prepare/views.ts";
import { checkSamePictures, columnsOf, type Member, scoreEnsemble } from "../training/evaluation/ensemble.ts";
import { evaluateScores } from "../training/evaluation/evaluate.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { scoreSplit } from "../training/evaluation/scores.ts";
import type { EvaluateRunOptions } from "./classifier.ts";
import { type EvaluationData, loadEvaluationData } from "./evaluationData.ts";
import { type OpenModel, type OpenOptions, openModel } from "./openModel.ts";

/** One of the networks alone. */
export interface EnsembleRun {
  readonly file: string;
  readonly network: string;
  readonly top1Accuracy: number;
  /** Whether its answers are draws, since dropout stays active. */
  readonly isRandom: boolean;
}

/** What they are together, and each beside it. */
export interface EnsembleEvaluation extends Evaluation {
  readonly runs: readonly EnsembleRun[];
}

/**
 * Averages the softmax of several runs (their best weights) or weights files over the same images, each prepared by its run's own
 * preprocessing. All networks are in memory together; what else it takes does not grow with the images. Undefined if it was aborted.
 *
 * Throws ConfigError if they have not the same classes, or their images are not the same, or a fit has no ten views where they are asked for.
 */
export async function evaluateEnsemble(
  paths: readonly string[],
  options: OpenOptions & EvaluateRunOptions = {},
): Promise<EnsembleEvaluation | undefined> {
  const opened: OpenModel[] = [];
  const data: EvaluationData[] = [];
  try {
    for (const path of paths) opened.push(await openModel(path, options));
    const members = await membersOf(opened, data, options);
    return await evaluateMembers(opened, members, data, options);
  } finally {
    for (const { close } of [...data, ...opened]) close();
  }
}

/** A member without what it is told. `data` receives what must be closed. */
type Prepared = Omit<Member, "onCorrect">;

async function membersOf(
  opened: readonly OpenModel[],
  data: EvaluationData[],
  { tenCrop, seed = 0, ...options }: EvaluateRunOptions,
): Promise<readonly Prepared[]> {
  const classNames = classesOf(opened);
  const ways = opened.map(({ file, model }) => ({
    columns: columnsOf(classNames, model.classNames, file),
    views: tenCrop ? tenCropViews(model.preprocessing) : undefined,
  }));
  const members: Prepared[] = [];
  for (const [i, { path, file, model, program, threads }] of opened.entries()) {
    const own = await loadEvaluationData(path, file, { ...model, classNames }, options);
    const preparation = createPreparation({ preprocessing: model.preprocessing, threads });
    const { split } = own;
    const close = () => {
      preparation.close();
      own.close();
    };
    data.push({ ...own, close });
    checkSamePictures((data[0] as EvaluationData).split, split, file);
    const { columns, views } = ways[i] as (typeof ways)[number];
    members.push({
      columns,
      scored: scoreSplit(program, { split, preparation, seed, views, signal: options.signal }),
    });
  }
  return members;
}

async function evaluateMembers(
  opened: readonly OpenModel[],
  members: readonly Prepared[],
  data: readonly EvaluationData[],
  { onProgress, onPrediction, signal }: EvaluateRunOptions,
): Promise<EnsembleEvaluation | undefined> {
  const [first] = data;
  if (!first) return undefined;
  const { split } = first;
  const right = members.map(() => 0);
  const scored = scoreEnsemble(
    members.map((member, i) => ({
      ...member,
      onCorrect: (correct) => {
        right[i] = (right[i] as number) + correct;
      },
    })),
  );
  const evaluation = await evaluateScores(scored, {
    split,
    classNames: classesOf(opened),
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

/** Those of the first, in its order. */
function classesOf([first]: readonly OpenModel[]): readonly string[] {
  return first?.model.classNames ?? [];
}
