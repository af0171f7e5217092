/** Local response normalization on CIFAR-10: §3.3 of the paper, with the networks of the authors' published program. */

import { parseRecipe } from "../training/recipe.ts";
import type { Arm, Experiment, Finding } from "./experiment.ts";
import { curvesFigure, dotsFigure } from "./figures.ts";
import { convLocal, threeConvolutions } from "./lrnCifar10Networks.ts";

const source = "Krizhevsky's cuda-convnet, example-layers/layers-conv-local-13pct.cfg and layers-conv-local-11pct.cfg";

/** A learning rate that falls to a tenth before the last 20 epochs, and to a hundredth before the last 10. */
function scheduleOf(epochs: number) {
  return { kind: "step", at: [(epochs - 20) / epochs, (epochs - 10) / epochs], factor: 0.1 } as const;
}

/** Epochs of the authors' 13 % and 11 %. */
const [epochs, longEpochs] = [160, 470];

const [plain, normalized, long, batch, three, threeNormalized] = [
  "no normalization",
  "local response normalization",
  `${longEpochs} epochs, local response normalization`,
  "batch normalization",
  "three convolutions",
  "three convolutions, local response normalization",
] as const;

/** Learning rates and decays of layer-params-conv-local-13pct.cfg and layer-params-conv-local-11pct.cfg: convolutions do not decay. */
const localDecays = {
  bias: { learningRate: 2, weightDecay: 0 },
  "conv1.weight": { weightDecay: 0 },
  "conv2.weight": { weightDecay: 0 },
};

/** Nor does the scale after a convolution, or the arm would differ in more than the normalization. */
const batchDecays = {
  multipliers: { ...localDecays, "norm1.weight": { weightDecay: 0 }, "norm2.weight": { weightDecay: 0 } },
};

/** Decays of layer-params-18pct.cfg: 0.004, and 1 in fc10. */
const threeDecays = {
  multipliers: { bias: { learningRate: 2, weightDecay: 0 }, "fc10.weight": { weightDecay: 250 } },
};

const arms: readonly Arm[] = [
  { name: plain, values: { network: convLocal("none") } },
  { name: normalized, values: { network: convLocal("local response") } },
  {
    name: long,
    values: { network: convLocal("local response"), epochs: longEpochs, schedule: scheduleOf(longEpochs) },
  },
  { name: batch, values: { network: convLocal("batch"), ...batchDecays } },
  { name: three, values: { network: threeConvolutions("none"), ...threeDecays } },
  { name: threeNormalized, values: { network: threeConvolutions("local response"), ...threeDecays } },
];

/** Short names of the arms, for a figure. */
const labels = ["none", "LRN", `LRN, ${longEpochs} epochs`, "batch norm.", "3 conv.", "3 conv., LRN"] as const;

const [views, oneView] = ["ten views", "testError"] as const;

function value(name: string, arm: string, published: string, below: number): Finding {
  return { name, compare: "value", of: { arm, measure: views }, published, below };
}

function difference(name: string, worse: string, better: string, published: string): Finding {
  return {
    name,
    compare: "difference",
    of: { arm: worse, measure: views },
    to: { arm: better, measure: views },
    published,
    above: 0,
  };
}

const gaussian = (deviation: number) => ({ kind: "gaussian", deviation }) as const;

/** The paper's gain of normalization on CIFAR-10. */
export const lrnCifar10: Experiment = {
  name: "lrn-cifar10",
  title: "Local response normalization on CIFAR-10",
  source: `Krizhevsky, Sutskever, Hinton 2012, §3.3; ${source}`,
  claim:
    "A four-layer network has a test error of 13 % on CIFAR-10 without local response normalization and of 11 % with it.",
  minutes: 900,
  needs: ["cifar10"],
  base: {
    dataset: "cifar10",
    inputSize: 24,
    recipe: parseRecipe({
      name: "conv-local",
      source: `${source}; layer-params-conv-local-13pct.cfg and layer-params-conv-local-11pct.cfg`,
      epochs,
      batchSize: 128,
      learningRate: 0.001,
      optimizer: { form: "paper", momentum: 0.9, weightDecay: 0.004 },
      schedule: scheduleOf(epochs),
      multipliers: localDecays,
      initializer: {
        weight: gaussian(0.01),
        layers: { conv1: gaussian(0.0001), local3: gaussian(0.04), local4: gaussian(0.04) },
      },
      fit: "crop",
      shorterSide: 32,
      augmentation: { flip: 0.5 },
      normalization: "mean-image",
    }),
  },
  arms,
  evaluations: [{ name: views, title: "test error, ten views", networks: 1, tenCrop: true }],
  measures: [views, oneView, "runningError", "step", "time"],
  figures: [
    curvesFigure({
      name: "lrn-cifar10",
      title: "Test error by epoch",
      description: "One view, at the end of each epoch, mean over the seeds.",
      curve: "testError",
    }),
    dotsFigure({
      name: "lrn-cifar10-views",
      title: "Test error of the last weights",
      description: "With one view and with the average over ten; one dot for each seed, a bar at the mean.",
      rows: arms.flatMap(({ name }, i) => [
        { label: `${labels[i]}, one view`, arm: name, measure: oneView },
        { label: `${labels[i]}, ten views`, arm: name, measure: views },
      ]),
      measure: oneView,
    }),
  ],
  findings: [
    value("test error without normalization, ten views", plain, "13 %", 0.135),
    value(`test error with local response normalization, ${longEpochs} epochs, ten views`, long, "11 %", 0.115),
    difference(
      "error without − with local response normalization, equal epochs",
      plain,
      normalized,
      "2 points, to which longer training contributes",
    ),
    difference(
      "error with local response − with batch normalization",
      normalized,
      batch,
      "batch normalization is called the successor",
    ),
    difference("three convolutions: error without − with local response normalization", three, threeNormalized, "–"),
  ],
  notes: [
    `The authors' 13 % is that of ${epochs} epochs, their 11 % that of ${longEpochs}; they train the first 100 and 300 without a fifth of the images, which select the number of epochs.`,
    "Networks, crops of 24×24 pixels, reflections, ten views, learning rates, decays and initial weights are theirs. The documentation lists the differences.",
    "The network of three convolutions is that of their 18 %, which they train on whole images and test with one view. Here it has the crops and epochs of the others.",
    "Batch normalization stands before ReLU, as in Ioffe and Szegedy 2015, and has the authors' learning rates, which were chosen without it.",
    "A run of 160 epochs takes about 40 minutes on two cores, one of 470 epochs two hours; --max-minutes divides it, and the same command resumes it.",
  ],
  quick: {
    settings: { trainLimit: 1000, testLimit: 300, epochs: 1 },
    arms: [plain, normalized, batch, threeNormalized],
  },
};
