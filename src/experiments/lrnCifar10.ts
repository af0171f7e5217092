/** Local response normalization on CIFAR-10: §3.3 of the paper, with the network of the authors' published program. */
import {
  batchNorm2d,
  conv2d,
  flatten,
  linear,
  localConv2d,
  localResponseNorm,
  maxPool2d,
  relu,
} from "../layers/kinds.ts";
import type { Network } from "../network/network.ts";
import { parseRecipe } from "../training/recipe.ts";
import type { Arm, Experiment, Finding } from "./experiment.ts";
import { curvesFigure, dotsFigure } from "./figures.ts";

const source = "Krizhevsky's cuda-convnet, example-layers/layers-conv-local-13pct.cfg and layers-conv-local-11pct.cfg";
const pool = { kernelSize: 3, stride: 2 } as const;

type Layers = Network["layers"];

/** Layers before and after a convolution's activation. */
interface Normalization {
  readonly before: (index: number) => Layers;
  readonly after: (index: number) => Layers;
}

const none: Normalization = { before: () => [], after: () => [] };
const localResponse: Normalization = {
  ...none,
  after: (i) => [localResponseNorm(`norm${i}`, { size: 5, alpha: 0.001, beta: 0.75, k: 1 })],
};
const batch: Normalization = { ...none, before: (i) => [batchNorm2d(`norm${i}`)] };

function network(name: string, { before, after }: Normalization): Network {
  const convolution = (i: number) => [
    conv2d(`conv${i}`, { outChannels: 64, kernelSize: 5, padding: 2 }),
    ...before(i),
    relu(`relu${i}`),
    ...after(i),
    maxPool2d(`pool${i}`, pool),
  ];
  return {
    name,
    source,
    deviations: ["input of 28×28 pixels, where the original has 24×24"],
    input: [3, 28, 28],
    layers: [
      ...convolution(1),
      ...convolution(2),
      localConv2d("local3", { outChannels: 32, kernelSize: 3, padding: 1 }),
      relu("relu3"),
      localConv2d("local4", { outChannels: 32, kernelSize: 3, padding: 1 }),
      relu("relu4"),
      flatten("flatten"),
      linear("fc10", { outFeatures: 10 }),
    ],
  };
}

const [plain, normalized, batchNormalized] = [
  "no normalization",
  "local response normalization",
  "batch normalization",
];

const arms: readonly Arm[] = [
  { name: plain as string, values: { network: network("conv-local", none) } },
  { name: normalized as string, values: { network: network("conv-local-lrn", localResponse) } },
  { name: batchNormalized as string, values: { network: network("conv-local-batch", batch) } },
];

const [views, oneView] = ["ten views", "testError"] as const;

function difference(name: string, worse: string, better: string, measure: string, published: string): Finding {
  return {
    name,
    compare: "difference",
    of: { arm: worse, measure },
    to: { arm: better, measure },
    published,
    above: 0,
  };
}

/** The paper's gain of normalization on CIFAR-10. */
export const lrnCifar10: Experiment = {
  name: "lrn-cifar10",
  title: "Local response normalization on CIFAR-10",
  source: `Krizhevsky, Sutskever, Hinton 2012, §3.3; ${source}`,
  claim:
    "A four-layer network has a test error of 13 % on CIFAR-10 without local response normalization and of 11 % with it.",
  minutes: 600,
  needs: ["cifar10"],
  base: {
    dataset: "cifar10",
    inputSize: 28,
    recipe: parseRecipe({
      name: "conv-local",
      source: `${source}; rates and decays of layer-params-conv-local-11pct.cfg`,
      epochs: 120,
      batchSize: 128,
      learningRate: 0.001,
      optimizer: { form: "paper", momentum: 0.9, weightDecay: 0.004 },
      schedule: { kind: "step", everyFraction: 5 / 6, factor: 0.1 },
      multipliers: {
        bias: { learningRate: 2, weightDecay: 0 },
        "conv1.weight": { weightDecay: 0 },
        "conv2.weight": { weightDecay: 0 },
      },
      initializer: { weight: { kind: "gaussian", deviation: 0.01 } },
      fit: "crop",
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
      rows: ["none", "LRN", "batch normalization"].flatMap((label, i) => [
        { label: `${label}, one view`, arm: arms[i]?.name ?? label, measure: oneView },
        { label: `${label}, ten views`, arm: arms[i]?.name ?? label, measure: views },
      ]),
      measure: oneView,
    }),
  ],
  findings: [
    {
      name: "test error without normalization, ten views",
      compare: "value",
      of: { arm: plain as string, measure: views },
      published: "13 %",
      below: 0.135,
    },
    {
      name: "test error with local response normalization, ten views",
      compare: "value",
      of: { arm: normalized as string, measure: views },
      published: "11 %",
      below: 0.115,
    },
    difference(
      "error without − with local response normalization",
      plain as string,
      normalized as string,
      views,
      "2 points",
    ),
    difference(
      "error with local response − with batch normalization",
      normalized as string,
      batchNormalized as string,
      views,
      "batch normalization is called the successor",
    ),
  ],
  notes: [
    "120 epochs, the last 20 at a tenth of the learning rate. The authors trained about 450 epochs, 10 more at a tenth and 10 more at a hundredth, of which about 300 without a fifth of the images.",
    "Initial weights have deviation 0.01 in every layer; the authors have 0.0001 in conv1, 0.04 in local3 and local4, and 0.01 elsewhere.",
    "Crops of 28×28 of 32×32 pixels, where the authors have 24×24. Rates, decays, sizes of the layers, reflections and ten views are theirs.",
    "Batch normalization stands before ReLU, as in Ioffe and Szegedy 2015.",
    "A run can take more than an hour on two cores; --max-minutes divides it.",
  ],
  quick: { settings: { trainLimit: 1000, testLimit: 300, epochs: 1 } },
};
