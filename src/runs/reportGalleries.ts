/** Galleries of test images in a run's report. */
import type { Model } from "../checkpoint/metadata.ts";
import { type Dataset, pickImages, validationSplit } from "../dataset/dataset.ts";
import { createPreparation } from "../dataset/prepare/preparation.ts";
import type { Program } from "../engine/engine.ts";
import type { GradCamExplainer } from "../explain/gradCam.ts";
import { overlay } from "../explain/gradCamFigure.ts";
import { createInputImage } from "../explain/inputImage.ts";
import { encodePng } from "../image/files/decode.ts";
import { createPredictionInput } from "../model/predictionInput.ts";
import { classesOf } from "../network/network.ts";
import { describeCorrect, type ReportGallery, type ReportPrediction } from "../report/pages/gallery.ts";
import { describeSuspects, noLabel } from "../report/tables/evaluation.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import { sizeOf } from "../shape.ts";
import { headOfModel } from "../training/evaluation/classHead.ts";
import { evaluateScores } from "../training/evaluation/evaluate.ts";
import type { Evaluation, LabelErrors, Prediction } from "../training/evaluation/metrics.ts";
import { thresholdsOf } from "../training/evaluation/multiLabel.ts";
import { scoreSplit } from "../training/evaluation/scores.ts";

/** Number of test images in the report. */
const SHOWN_IMAGES = 24;

/** Data set, configuration and program for the galleries. */
export interface GallerySource {
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly program: Program;
  readonly model: Model;
  /** Computes Grad-CAM of test images; undefined if the network has no feature maps, or images have several labels. */
  readonly explainer: GradCamExplainer | undefined;
}

/** Non-empty galleries of a report, with heading and description. */
export async function galleriesOf(source: GallerySource, evaluation: Evaluation): Promise<readonly ReportGallery[]> {
  const some = await shownPredictions(source);
  const isSets = validationSplit(source.dataset).labelSets !== undefined;
  const galleries: readonly ReportGallery[] = [
    {
      name: "mistakes",
      heading: "Worst mistakes",
      description: isSets
        ? "Images whose labels have the lowest probability together, of those with a wrong label."
        : `Images whose true class has the lowest probability.${source.explainer ? ` Below each: the places that raise the score of the predicted class (Grad-CAM at ${source.explainer.layer}).` : ""}`,
      predictions: await explained(source, evaluation.worstMistakes),
    },
    {
      name: "best",
      heading: "Best predictions",
      description: "Correct predictions with the highest probability.",
      predictions: await shownImages(source, evaluation.bestPredictions),
    },
    ...(evaluation.labelErrors ? [await suspectGallery(source, evaluation.labelErrors, evaluation.images)] : []),
    { name: "images", heading: "Sample of test images", description: describeCorrect(some), predictions: some },
  ];
  return galleries.filter(({ predictions }) => predictions.length > 0);
}

/** Test images of mistakes, with Grad-CAM for the predicted class if there is an explainer. */
async function explained(source: GallerySource, mistakes: readonly Prediction[]): Promise<readonly ReportPrediction[]> {
  const shown = await shownImages(source, mistakes);
  const { explainer, dataset, config, model } = source;
  if (!explainer) return shown;
  const split = validationSplit(dataset);
  const { preprocessing, network } = model;
  const [prepare, fit] = [createPredictionInput(preprocessing, undefined), createInputImage(preprocessing)];
  const input = new Float32Array(sizeOf(network.input));
  const explained: ReportPrediction[] = [];
  for (const [i, prediction] of shown.entries()) {
    const { index, predicted } = mistakes[i] as Prediction;
    const image = split.image(index);
    prepare(image, input, 0);
    const { places } = await explainer.explain(
      input,
      () => config.dataset.classNames.indexOf(predicted),
      `image ${index}`,
    );
    explained.push({ ...prediction, map: await encodePng(overlay(fit(image), places)) });
  }
  return explained;
}

/** Number of suspected label errors in the report. */
const SHOWN_SUSPECTS = 16;

/** Test images whose labels are suspected to be wrong. */
async function suspectGallery(source: GallerySource, labelErrors: LabelErrors, images: number): Promise<ReportGallery> {
  const suspects = labelErrors.suspects.slice(0, SHOWN_SUSPECTS);
  return {
    name: "labels",
    heading: "Suspected label errors",
    description: `${describeSuspects(labelErrors, images)}. Confident learning suggests another class; the lowest margin comes first.`,
    predictions: await shownImages(
      source,
      suspects.map(({ suggested, ...suspect }) => ({ ...suspect, predicted: suggested })),
    ),
    texts: { verdict: "? label", predicted: "suggested", trueClass: "label" },
  };
}

/** Test images of the predictions that an evaluation kept. */
async function shownImages(
  { dataset }: GallerySource,
  predictions: readonly Omit<Prediction, "loss">[],
): Promise<readonly ReportPrediction[]> {
  const split = validationSplit(dataset);
  const shown: ReportPrediction[] = [];
  for (const { index, className, predicted, probability } of predictions) {
    const png = await encodePng(split.image(index));
    shown.push({ png, trueClass: className || noLabel, predictedClass: predicted || noLabel, probability });
  }
  return shown;
}

/** Predictions for test images spread evenly over the set, so that sets sorted by class contribute every class. */
async function shownPredictions(source: GallerySource): Promise<readonly ReportPrediction[]> {
  const { config, dataset, program, model } = source;
  const whole = validationSplit(dataset);
  const count = Math.min(SHOWN_IMAGES, whole.length);
  const order = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * whole.length) / count));
  const split = pickImages(whole, order);
  const head = headOfModel(model, classesOf(model.network), config.network.name);
  const preparation = createPreparation({ preprocessing: config.preprocessing });
  const predictions: Prediction[] = [];
  await evaluateScores(scoreSplit(program, { split, preparation, seed: config.recipe.seed, head }), {
    ...{ split, classNames: config.dataset.classNames, head, threshold: thresholdsOf(model) },
    onPrediction: (prediction) => predictions.push({ ...prediction, index: order[prediction.index] as number }),
  });
  return shownImages(source, predictions);
}
