/** Fits of images of uneven shapes to the input, on made images whose class depends on shape and place. */

import type { Experiment } from "./experiment.ts";
import { dotsFigure, rowsOf } from "./figures.ts";
import { writeMadeImages } from "./madeImages.ts";
import { smallSchedule } from "./smallSchedule.ts";

const inputSize = 48;
const arms = [
  { name: "pad", values: { fit: "pad", inputSize } },
  { name: "stretch", values: { fit: "resize", inputSize } },
  { name: "crop", values: { fit: "crop", inputSize } },
  { name: "random resized crop", values: { fit: "random-resized-crop", inputSize } },
] as const;

function finding(other: string) {
  return {
    name: `test error, ${other} − pad`,
    compare: "difference",
    of: { arm: other, measure: "testError" },
    to: { arm: "pad", measure: "testError" },
    published: "open question",
    above: 0,
  } as const;
}

/** The open question on images of uneven shapes. */
export const fit: Experiment = {
  name: "fit",
  title: "Fits of images of uneven shapes",
  source: "A study of AlexNet of 2021, in Chinese, §5: how to change a data set's image size to fit the input",
  claim:
    "If the class depends on the shape and the place of an object, the fit that keeps both, padding, has the lowest error. Stretching loses the shape, cropping loses the ends.",
  minutes: 60,
  needs: [],
  base: { network: "alexnet-small", recipe: "small", schedule: smallSchedule, augment: ["flip"] },
  arms,
  measures: ["testError", "runningError", "step", "time"],
  figures: [
    dotsFigure({
      name: "fit",
      title: "Test error of each fit, made images",
      description: "One dot for each seed, a bar at the mean. Guessing has 75 %.",
      rows: rowsOf(arms, "testError"),
      measure: "testError",
    }),
    dotsFigure({
      name: "fit-cost",
      title: "Time per iteration of each fit",
      description: "Training time divided by the number of batches.",
      rows: rowsOf(arms, "step"),
      measure: "step",
    }),
  ],
  findings: [finding("stretch"), finding("crop"), finding("random resized crop")],
  notes: [
    "The images are made for this question: a bright ellipse on noise, round or long, in the middle or at an end, in images of aspect ratios from 1:3 to 3:1. Photos may give another order.",
    'For photos: --config with a data set, such as {"dataset": "flowers"}.',
  ],
  quick: { settings: { epochs: 2 } },
  makeImages: (folder, scale) =>
    writeMadeImages(folder, scale === "full" ? { train: 4000, test: 1000 } : { train: 240, test: 80 }),
};
