/** The document's flower build. */
import type { Experiment } from "./experiment.ts";
import { curvesFigure } from "./figures.ts";

const arm = "recipe flowers";

/** Flower photos with the half-width network. */
export const flowers: Experiment = {
  name: "flowers",
  title: "Flower photos with the half-width network",
  source: "A study of AlexNet of 2021, in Chinese, §4.1, whose code comes from an exercise on flower photos",
  claim:
    "A network of half the width learns five classes of flower photos from about 3,000 images with Adam at 0.0002 and batches of 32, in 10 epochs.",
  minutes: 60,
  needs: ["flowers"],
  base: { dataset: "flowers", recipe: "flowers" },
  arms: [{ name: arm, values: {} }],
  measures: ["testError", "runningError", "trainLoss", "step", "time"],
  figures: [
    curvesFigure({
      name: "flowers",
      title: "Test error on flower photos",
      description: "At the end of each epoch, mean over the seeds.",
      curve: "testError",
    }),
    curvesFigure({
      name: "flowers-train",
      title: "Training error on flower photos",
      description: "Over each epoch, with dropout and augmentation.",
      curve: "runningError",
    }),
  ],
  findings: [
    {
      name: "test error; guessing has 80 %",
      compare: "value",
      of: { arm, measure: "testError" },
      published: "curves only",
      below: 0.4,
    },
  ],
  notes: ["The claim counts as held below 40 % test error, half of that of guessing."],
  quick: { settings: { trainLimit: 200, testLimit: 100, epochs: 1 } },
};
