/** Number of training images against the fit of images to the input, on CIFAR-10. */

import { formatCount } from "../report/numbers.ts";
import type { Experiment } from "./experiment.ts";
import { linesFigure } from "./figures.ts";
import { smallSchedule } from "./smallSchedule.ts";

const fits = [
  { series: "as they are, 32", values: { fit: "native" } },
  { series: "stretched to 64", values: { fit: "resize", inputSize: 64 } },
  { series: "random crop to 28", values: { fit: "crop", inputSize: 28 } },
  { series: "random resized crop, 32", values: { fit: "random-resized-crop", inputSize: 32 } },
] as const;

/** Training images, and epochs: fewer where there are more images, so that no run takes longer than 40 minutes. */
const sizes = [
  { images: 1000, epochs: 60 },
  { images: 5000, epochs: 30 },
  { images: 10_000, epochs: 20 },
  { images: 50_000, epochs: 10 },
] as const;

const nameOf = (series: string, images: number) => `${series}; ${formatCount(images)} images`;
const [native, stretched, cropped, resized] = fits.map(({ series }) => series) as [string, string, string, string];

function difference(series: string, images: number) {
  return {
    name: `test error, ${series} − ${native}, ${formatCount(images)} images`,
    compare: "difference",
    of: { arm: nameOf(series, images), measure: "testError" },
    to: { arm: nameOf(native, images), measure: "testError" },
    published: "open question",
    below: 0,
  } as const;
}

const x = { title: "training images", scale: "log" } as const;

/** Accuracy and cost of each fit by the number of images. */
export const dataSize: Experiment = {
  name: "data-size",
  title: "Fits to the input by the number of images",
  source: "A study of AlexNet of 2021, in Chinese, §5: how to change a data set's image size to fit the input",
  claim:
    "Random crops lower the test error, with few images and with many. A larger input costs time in proportion to its area.",
  minutes: 320,
  needs: ["cifar10"],
  base: {
    dataset: "cifar10",
    network: "alexnet-small",
    recipe: "small",
    schedule: smallSchedule,
    augment: ["flip"],
    // After each epoch. All 10,000 would take four times as long as an epoch of 1,000 training images.
    testLimit: 1000,
  },
  arms: fits.flatMap(({ series, values }) =>
    sizes.map(({ images, epochs }) => ({
      name: nameOf(series, images),
      series,
      at: images,
      values: { ...values, trainLimit: images, epochs },
    })),
  ),
  evaluations: [{ name: "testError", title: "test error", networks: 1, limit: 10_000 }],
  measures: ["testError", "runningError", "step", "time"],
  figures: [
    linesFigure({
      name: "data-size",
      title: "Test error by the number of training images",
      description: "Mean over the seeds, with a bar of one standard deviation each way.",
      measure: "testError",
      x,
    }),
    linesFigure({
      name: "data-size-cost",
      title: "Time per iteration",
      description: "Training time divided by the number of batches.",
      measure: "step",
      x,
    }),
  ],
  findings: [
    difference(cropped, 1000),
    difference(cropped, 50_000),
    difference(resized, 1000),
    difference(resized, 50_000),
    {
      name: `time per iteration, ${stretched} ÷ ${native}, 50,000 images`,
      compare: "ratio",
      of: { arm: nameOf(stretched, 50_000), measure: "step" },
      to: { arm: nameOf(native, 50_000), measure: "step" },
      published: "4 times the area",
      above: 3,
      below: 5,
    },
  ],
  notes: [
    "Images of CIFAR-10 are square and of one size, so padding and stretching are the same; images of uneven shapes: the experiment fit.",
    "Runs on fewer images have more epochs, 60, 30, 20 and 10, but still fewer iterations.",
    "All fits have random reflections and no other augmentation.",
    "Test errors are those of the last weights on all 10,000 test images; during training 1,000 are evaluated.",
  ],
  quick: {
    settings: { epochs: 0.5, testLimit: 500 },
    arms: [
      nameOf(stretched, 1000),
      ...[native, cropped, resized].flatMap((series) => [1000, 5000].map((n) => nameOf(series, n))),
    ],
  },
};
