/** Input of 227 against 224 pixels: the document's two runs on Fashion-MNIST. */
import { conv2d } from "../layers/kinds.ts";
import { findNetwork } from "../network/alexnet.ts";
import type { Network } from "../network/network.ts";
import type { Experiment } from "./experiment.ts";
import { curvesFigure } from "./figures.ts";

const at227 = findNetwork("alexnet-fashion");

const at224: Network = {
  ...at227,
  name: "alexnet-fashion-224",
  deviations: [],
  input: [1, 224, 224],
  layers: at227.layers.with(0, conv2d("conv1", { outChannels: 96, kernelSize: 11, stride: 4, padding: 1 })),
};

const [arm227, arm224] = ["227, padding 0", "224, padding 1"] as const;
const description = "Mean over the seeds at the end of each epoch.";

/** The document's comparison of input sizes. */
export const input224: Experiment = {
  name: "input-224-227",
  title: "Input of 224 against 227 pixels",
  source: "A study of AlexNet of 2021, in Chinese, §4.2; Zhang, Lipton, Li, Smola, “Dive into Deep Learning”, §8.1",
  claim:
    "Trained on Fashion-MNIST with batches of 128 and a learning rate of 0.01 for 10 epochs, inputs of 227 pixels and of 224 pixels with padding 1 differ little in accuracy.",
  minutes: 400,
  needs: ["fashion-mnist"],
  base: { dataset: "fashion-mnist", recipe: "d2l" },
  arms: [
    { name: arm227, values: { network: at227 } },
    { name: arm224, values: { network: at224 } },
  ],
  measures: ["testError", "runningError", "trainLoss", "step", "time"],
  figures: [
    curvesFigure({
      name: "input-224-227",
      title: "Test error of both input sizes",
      description,
      curve: "testError",
    }),
    curvesFigure({
      name: "input-224-227-train",
      title: "Training error of both input sizes",
      description: `${description} With dropout, over the epoch.`,
      curve: "runningError",
    }),
    curvesFigure({
      name: "input-224-227-loss",
      title: "Training loss of both input sizes",
      description,
      curve: "trainLoss",
    }),
  ],
  findings: [
    {
      name: "test error at 224 − test error at 227",
      compare: "difference",
      of: { arm: arm224, measure: "testError" },
      to: { arm: arm227, measure: "testError" },
      published: "no real difference",
      above: -0.01,
      below: 0.01,
    },
  ],
  notes: [
    "“Little” is less than 1 point in either direction.",
    "The 224 network is the 227 network with padding 1 in conv1; its feature maps are then of 54 pixels, those at 227 of 55.",
    "A run takes more than an hour on two cores; --max-minutes divides it.",
  ],
  quick: { settings: { trainLimit: 256, testLimit: 100, epochs: 1 } },
};
