/** Averages over the samples of a network whose dropout is active at evaluation. */
import type { EvaluationSpec, Experiment, Finding } from "./experiment.ts";
import { dotsFigure } from "./figures.ts";

const arm = "alexnet-rgb";
const [one, four, sixteen] = ["1 sample", "4 samples", "16 samples"] as const;

const evaluations: readonly EvaluationSpec[] = [
  { name: one, title: one, networks: 1, samples: 1 },
  { name: four, title: four, networks: 1, samples: 4 },
  { name: sixteen, title: sixteen, networks: 1, samples: 16 },
];

function gain(worse: string, better: string): Finding {
  return {
    name: `error of ${worse} − ${better}`,
    compare: "difference",
    of: { arm, measure: worse },
    to: { arm, measure: better },
    published: "–",
    above: 0,
  };
}

/** Gain of averaging the random predictions of `alexnet-rgb`. */
export const rgbSamples: Experiment = {
  name: "rgb-samples",
  title: "Averages over samples of active dropout",
  source:
    "A tutorial class of AlexNet for RGB images, whose dropout stays active at test; Gal and Ghahramani 2016, “Dropout as a Bayesian approximation”, §4",
  claim:
    "Dropout that is active at evaluation makes a prediction random. The average of several predictions of an image has a lower error than one.",
  minutes: 120,
  needs: ["cifar10"],
  base: {
    dataset: "cifar10",
    network: "alexnet-rgb",
    recipe: "fashion",
    fit: "resize",
    augment: ["flip"],
    trainLimit: 10_000,
    testLimit: 2000,
    epochs: 15,
  },
  arms: [{ name: arm, values: {} }],
  evaluations,
  measures: [...evaluations.map(({ name }) => name), "runningError", "step", "time"],
  figures: [
    dotsFigure({
      name: "rgb-samples",
      title: "Test error of averaged samples",
      description: "One dot for each seed, a bar at the mean. One sample is what the network predicts by default.",
      rows: evaluations.map(({ name }) => ({ label: name, arm, measure: name })),
      measure: "testError",
    }),
  ],
  findings: [gain(one, four), gain(one, sixteen), gain(four, sixteen)],
  notes: [
    "Images of 32×32 pixels are stretched to 227×227. Each run trains 15 epochs on 10,000 images and is tested on 2,000, so that a seed takes at most about 40 minutes on two cores.",
    "The tutorial states no training settings; they are those of the recipe fashion, with reflections.",
    "Each sample has its own dropout masks in all four linear layers. Errors are those of the last weights.",
  ],
  quick: { settings: { trainLimit: 64, testLimit: 20, batchSize: 32, epochs: 1 } },
};
