/** The test images of a report. */

import { type Dataset, validationSplit } from "../dataset/dataset.ts";
import { batches } from "../dataset/prepare/batches.ts";
import { createPreparation } from "../dataset/prepare/preparation.ts";
import type { Program } from "../engine/engine.ts";
import { encodePng } from "../image/files/decode.ts";
import { type ReportGallery, type ReportPrediction, shareRight } from "../report/pages/gallery.ts";
import type { RunConfig } from "../settings/runConfig.ts";
import { sizeOf } from "../shape.ts";
import { type Evaluation, type Prediction, softmax } from "../training/evaluation/metrics.ts";

/** Test images that a report shows. */
const SHOWN_IMAGES = 24;

/** Where the images are, and what says what they show. */
export interface PictureSource {
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly program: Program;
}

/** The galleries of a report that have images, each as it is called and said. */
export async function galleriesOf(
  source: PictureSource,
  evaluation: Pick<Evaluation, "worstMistakes" | "bestPredictions"> | undefined,
): Promise<readonly ReportGallery[]> {
  const some = await shownPredictions(source);
  const galleries: readonly ReportGallery[] = [
    {
      name: "mistakes",
      heading: "The worst mistakes",
      description: "Their own class was given the least probability.",
      predictions: await picturesOf(source, evaluation?.worstMistakes),
    },
    {
      name: "best",
      heading: "The best predictions",
      description: "Right, with the highest probability.",
      predictions: await picturesOf(source, evaluation?.bestPredictions),
    },
    { name: "images", heading: "Some test images", description: shareRight(some), predictions: some },
  ];
  return galleries.filter(({ predictions }) => predictions.length > 0);
}

/** Test images of predictions that an evaluation kept. */
async function picturesOf(
  { dataset }: PictureSource,
  predictions: readonly Prediction[] = [],
): Promise<readonly ReportPrediction[]> {
  const split = validationSplit(dataset);
  const shown: ReportPrediction[] = [];
  for (const { index, className, predicted, probability } of predictions) {
    const png = await encodePng(split.image(index));
    shown.push({ png, trueClass: className, predictedClass: predicted, probability });
  }
  return shown;
}

/** What the network says of test images from all over the set: where they lie class by class, of every class. */
async function shownPredictions({ config, dataset, program }: PictureSource): Promise<readonly ReportPrediction[]> {
  const { preprocessing, recipe } = config;
  const { classNames } = config.dataset;
  const split = validationSplit(dataset);
  const count = Math.min(SHOWN_IMAGES, split.length);
  const order = Uint32Array.from({ length: count }, (_, i) => Math.floor((i * split.length) / count));
  const shown: ReportPrediction[] = [];
  const { batchSize, input } = program;
  const preparation = createPreparation({ preprocessing });
  for await (const batch of batches({ split, preparation, batchSize, order, into: input })) {
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
