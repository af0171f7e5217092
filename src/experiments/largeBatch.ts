/** Accuracy by batch size, of LARS and of SGD with a linearly scaled learning rate, at equal epochs. */

import { formatCount } from "../report/numbers.ts";
import { rateScale } from "../training/rateScale.ts";
import { findRecipe } from "../training/recipe.ts";
import type { Arm, Experiment } from "./experiment.ts";
import { curvesFigure, linesFigure } from "./figures.ts";

const batchSizes = [128, 1024, 4096] as const;
const [scaledSgd, lars] = ["SGD", "LARS"] as const;
const { optimizer: sgd, learningRate: sgdRate, ...small } = findRecipe("small");
const { optimizer: adaptive, learningRate: larsRate, schedule, warmup, baseBatchSize } = findRecipe("large-batch");

/**
 * Highest learning rate of LARS. A step changes each tensor by about the rate times 0.001 / (1 − momentum) of its size, in any batch: by 8 % at 8, and by a
 * third at 32, at which a small network learned little.
 */
const MOST_OF_LARS = 8;

/** Optimizers, with their learning rates per 128 images. */
const optimizers = [
  { series: scaledSgd, optimizer: sgd, rateOf: () => sgdRate },
  {
    series: lars,
    optimizer: adaptive,
    rateOf: (batchSize: number) => Math.min(larsRate, MOST_OF_LARS / rateScale({ batchSize, baseBatchSize })),
  },
] as const;

const nameOf = (series: string, batchSize: number) => `${series}, batch ${formatCount(batchSize)}`;

const arms: readonly Arm[] = optimizers.flatMap(({ series, optimizer, rateOf }) =>
  batchSizes.map((batchSize) => ({
    name: nameOf(series, batchSize),
    series,
    at: batchSize,
    values: { optimizer, learningRate: rateOf(batchSize), batchSize },
  })),
);

/** Difference of test errors of two arms, each named by optimizer and batch size. */
function difference(
  of: readonly [series: string, batchSize: number],
  to: readonly [series: string, batchSize: number],
  published: string,
  bounds: { readonly above?: number; readonly below?: number },
) {
  return {
    name: `test error, ${nameOf(...of)} − ${nameOf(...to)}`,
    compare: "difference",
    of: { arm: nameOf(...of), measure: "testError" },
    to: { arm: nameOf(...to), measure: "testError" },
    published,
    ...bounds,
  } as const;
}

/** The claim of the paper of LARS, on CIFAR-10. */
export const largeBatch: Experiment = {
  name: "large-batch",
  title: "LARS and SGD at large batches",
  source: "You, Gitman, Ginsburg 2017, “Large Batch Training of Convolutional Networks”; Goyal et al. 2017, §2",
  claim:
    "With a learning rate that grows with the batch, AlexNet loses accuracy above 1,024 images with SGD, and none up to 8,192 with LARS.",
  minutes: 450,
  needs: ["cifar10"],
  base: {
    dataset: "cifar10",
    network: "alexnet-small",
    recipe: {
      ...small,
      name: "large-batch-small",
      source: "recipes small and large-batch",
      deviations: [],
      epochs: 30,
      optimizer: sgd,
      learningRate: sgdRate,
      baseBatchSize,
      schedule,
      warmup,
    },
  },
  arms,
  measures: ["testError", "runningError", "step", "time"],
  figures: [
    linesFigure({
      name: "large-batch",
      title: "Test error by batch size",
      description: "Mean over the seeds, with a bar of one standard deviation each way.",
      measure: "testError",
      x: { title: "images per batch", scale: "log" },
    }),
    curvesFigure({
      name: "large-batch-curves",
      title: "Test error by epoch",
      description: "At the end of each epoch, mean over the seeds.",
      curve: "testError",
    }),
  ],
  findings: [
    difference([scaledSgd, 4096], [scaledSgd, 128], "worse", { above: 0 }),
    difference([lars, 4096], [lars, 128], "equal", { below: 0.01 }),
    difference([lars, 4096], [scaledSgd, 4096], "better", { below: 0 }),
    difference([lars, 128], [scaledSgd, 128], "not measured", { below: 0.01 }),
  ],
  notes: [
    `All runs have 30 epochs, ${warmup} of them for warm-up, and a polynomial schedule of power 2.`,
    `Learning rates per 128 images are ${sgdRate} of SGD and ${larsRate} of LARS, and are multiplied by batch / 128. That of LARS is at most ${MOST_OF_LARS} in total, where a step changes each tensor by about 8 %.`,
    "The rates are not searched: a difference between SGD and LARS may be one of rates.",
    "The paper trains AlexNet on ImageNet for 100 epochs. CIFAR-10 has fewer images, so that 30 epochs in batches of 4,096 are 390 steps.",
  ],
  quick: {
    settings: { dataset: "fashion-mnist", trainLimit: 2048, testLimit: 500, epochs: 2, warmup: 0.5 },
    arms: [scaledSgd, lars].flatMap((series) => [128, 1024].map((batchSize) => nameOf(series, batchSize))),
  },
};
