/** Ablations: every method of the paper removed in turn, on CIFAR-10 and, with the 227 network, on Fashion-MNIST. */
import { batchNorm2d, conv2d, dropout, flatten, linear, localResponseNorm, maxPool2d, relu } from "../layers/kinds.ts";
import type { Network } from "../network/network.ts";
import { findRecipe } from "../training/recipe.ts";
import type { Values } from "./armResults.ts";
import type { Arm, Experiment, Finding } from "./experiment.ts";
import { dotsFigure, rowsOf } from "./figures.ts";
import { smallSchedule } from "./smallSchedule.ts";

/** Sizes of a network of five convolutions and three linear layers. */
interface Sizes {
  readonly name: string;
  readonly input: Network["input"];
  readonly conv1: { readonly kernelSize: number; readonly stride?: number; readonly padding?: number };
  readonly widths: readonly [number, number, number, number, number];
  readonly hidden: number;
  /** Deviation of the images' pixels, in levels of 0 to 255. */
  readonly pixelDeviation: number;
}

/** The methods in a network. */
interface Parts {
  readonly norm: "local response" | "batch" | "none";
  readonly overlap: boolean;
  readonly dropout: boolean;
  readonly towers: boolean;
}

const allParts: Parts = { norm: "local response", overlap: true, dropout: true, towers: true };

/** α of the paper, whose pixels have 0 to 255 levels. */
const PAPER_ALPHA = 1e-4;

function network({ name, input, conv1, widths, hidden, pixelDeviation }: Sizes, change: Partial<Parts> = {}): Network {
  const parts = { ...allParts, ...change };
  // The network of one device has half of the kernels except in conv5 (§3.2 of the paper, footnote), so that both have about as many parameters.
  const [w1, w2, w3, w4, w5] = parts.towers ? widths : widths.map((width, i) => (i < 4 ? width / 2 : width));
  const groups = parts.towers ? 2 : 1;
  // Batch normalization stands before ReLU (Ioffe and Szegedy 2015), local response normalization after it.
  const before = (layer: string) => (parts.norm === "batch" ? [batchNorm2d(layer)] : []);
  // Pixels are divided by their deviation, and so are the outputs of the convolutions. With the paper's α the normalization would then be a constant factor.
  const alpha = PAPER_ALPHA * pixelDeviation ** 2;
  const after = (layer: string) => (parts.norm === "local response" ? [localResponseNorm(layer, { alpha })] : []);
  const pool = (layer: string) => maxPool2d(layer, { kernelSize: parts.overlap ? 3 : 2, stride: 2 });
  const drop = (layer: string) => (parts.dropout ? [dropout(layer, { probability: 0.5 })] : []);
  return {
    name,
    source: "Krizhevsky, Sutskever, Hinton 2012, §3.5",
    deviations: ["α of local response normalization in proportion to the variance of the pixels"],
    input,
    layers: [
      conv2d("conv1", { outChannels: w1 as number, ...conv1 }),
      ...before("norm1"),
      relu("relu1"),
      ...after("norm1"),
      pool("pool1"),
      conv2d("conv2", { outChannels: w2 as number, kernelSize: 5, padding: 2, groups }),
      ...before("norm2"),
      relu("relu2"),
      ...after("norm2"),
      pool("pool2"),
      conv2d("conv3", { outChannels: w3 as number, kernelSize: 3, padding: 1 }),
      relu("relu3"),
      conv2d("conv4", { outChannels: w4 as number, kernelSize: 3, padding: 1, groups }),
      relu("relu4"),
      conv2d("conv5", { outChannels: w5 as number, kernelSize: 3, padding: 1, groups }),
      relu("relu5"),
      pool("pool5"),
      flatten("flatten"),
      linear("fc6", { outFeatures: hidden }),
      relu("relu6"),
      ...drop("drop6"),
      linear("fc7", { outFeatures: hidden }),
      relu("relu7"),
      ...drop("drop7"),
      linear("fc8", { outFeatures: 10 }),
    ],
  };
}

const all = "all methods";
/** All methods, with the successor of local response normalization. */
const batch = "batch normalization";

/** A method that is removed, its effect in the paper, and the measure of it. */
interface Method {
  readonly arm: string;
  readonly values: (sizes: Sizes) => Values;
  readonly measure: "testError" | "trainError" | "gap";
  readonly effect: string;
  readonly published: string;
}

/** Methods of both data sets. The effect of each is the value without it minus the value with it. */
const methods: readonly Method[] = [
  {
    arm: "no normalization",
    values: (sizes) => ({ network: network(sizes, { norm: "none" }) }),
    measure: "testError",
    effect: "test error without local response normalization",
    published: "+1.4 points (top-1, §3.3); +2 points on CIFAR-10",
  },
  {
    arm: "pooling 2/2",
    values: (sizes) => ({ network: network(sizes, { overlap: false }) }),
    measure: "testError",
    effect: "test error without overlapping pooling",
    published: "+0.4 points (top-1, §3.4)",
  },
  {
    arm: "no dropout",
    values: (sizes) => ({ network: network(sizes, { dropout: false }) }),
    measure: "gap",
    effect: "gap of test and training error without dropout",
    published: "“substantial overfitting” (§4.2)",
  },
  {
    arm: "no weight decay",
    values: () => ({ weightDecay: 0 }),
    measure: "trainError",
    effect: "training error without weight decay",
    published: "higher (§5)",
  },
  {
    arm: "one tower, half size",
    values: (sizes) => ({ network: network(sizes, { towers: false }) }),
    measure: "testError",
    effect: "test error of the half-size network of one tower",
    published: "+1.7 points (top-1, §3.2)",
  },
];

/** Methods that augment the images of CIFAR-10. */
const augmentations: readonly Method[] = [
  {
    arm: "no crops, no reflections",
    values: () => ({ augmentation: { lighting: 0.1 } }),
    measure: "gap",
    effect: "gap of test and training error without crops and reflections",
    published: "“substantial overfitting” (§4.1)",
  },
  {
    arm: "no colour noise",
    values: () => ({ augmentation: { flip: 0.5, shift: 0.125 } }),
    measure: "testError",
    effect: "test error without colour noise",
    published: "more than +1 point (top-1, §4.1)",
  },
];

function findingOf({ arm, measure, effect, published }: Method): Finding {
  return {
    name: `${effect}, minus with it`,
    compare: "difference",
    of: { arm, measure },
    to: { arm: all, measure },
    published,
    above: 0,
  };
}

/** Members that follow from the methods. */
function partsOf(
  sizes: Sizes,
  removed: readonly Method[],
  name: string,
): Pick<Experiment, "arms" | "findings" | "figures" | "evaluations" | "measures"> {
  const arms: readonly Arm[] = [
    { name: all, values: { network: network(sizes) } },
    { name: batch, values: { network: network(sizes, { norm: "batch" }) } },
    ...removed.map(({ arm, values }) => ({ name: arm, values: { network: network(sizes), ...values(sizes) } })),
  ];
  return {
    arms,
    findings: [
      ...removed.map(findingOf),
      {
        name: "test error with local response normalization − with batch normalization",
        compare: "difference",
        of: { arm: all, measure: "testError" },
        to: { arm: batch, measure: "testError" },
        published: "batch normalization is called the successor",
        above: 0,
      },
    ],
    evaluations: [{ name: "trainError", title: "training error", networks: 1, split: "train", limit: 10_000 }],
    measures: ["testError", "trainError", "gap", "step"],
    figures: [
      dotsFigure({
        name,
        title: "Test error, one method removed at a time",
        description: "One dot for each seed, a bar at the mean. The dashed line marks the network with all methods.",
        rows: rowsOf(arms, "testError"),
        measure: "testError",
      }),
      dotsFigure({
        name: `${name}-gap`,
        title: "Test error minus training error",
        description: "Overfitting: both errors without dropout and augmentation.",
        rows: rowsOf(arms, "gap"),
        measure: "gap",
      }),
    ],
  };
}

const source =
  "Krizhevsky, Sutskever, Hinton 2012, §3.2 to §5; a study of AlexNet of 2021, in Chinese, table “method → effect”";
const claim =
  "Local response normalization, overlapping pooling, dropout, weight decay, augmentation and two towers each lower the error or the overfitting.";
const notes = [
  "The paper's numbers are those of ImageNet; a difference on small images may have another size.",
  "Test and training error are those of the last weights, without dropout and augmentation; the training error is that of at most 10,000 images.",
  "The half-size network has half of the kernels of conv1 to conv4 and no groups; conv5 and the linear layers are those of the whole.",
  "Initial weights are Xavier's and pixels have mean 0 and deviation 1, where the paper has 0.01 and 0 to 255. Therefore α of local response normalization is the paper's times the variance of the pixels in levels, 64² or 90²: it sees the same proportions.",
];

/** The table “method → effect” on CIFAR-10. */
export const ablations: Experiment = {
  name: "ablations",
  title: "Ablations on CIFAR-10",
  source,
  claim,
  minutes: 300,
  needs: ["cifar10"],
  base: {
    dataset: "cifar10",
    recipe: {
      ...findRecipe("small"),
      name: "ablations",
      source: "Krizhevsky, Sutskever, Hinton 2012, §4 and §5, for 32×32 pixels",
      deviations: [],
      schedule: smallSchedule,
      augmentation: { flip: 0.5, shift: 0.125, lighting: 0.1 },
    },
  },
  ...partsOf(
    {
      name: "alexnet-32",
      input: [3, 32, 32],
      conv1: { kernelSize: 6, padding: 2 },
      widths: [64, 128, 192, 192, 128],
      hidden: 1024,
      pixelDeviation: 64,
    },
    [...methods, ...augmentations],
    "ablations",
  ),
  notes: [
    ...notes,
    "conv1 has kernels of 6×6, so that maps of 31×31 have the same sizes with both poolings. Crops are shifts by up to 4 pixels.",
  ],
  quick: { settings: { trainLimit: 1000, testLimit: 500, epochs: 1 } },
};

/** The table “method → effect” with the 227 network on Fashion-MNIST. */
export const ablationsFashion: Experiment = {
  name: "ablations-227",
  title: "Ablations with the 227 network on Fashion-MNIST",
  source,
  claim,
  minutes: 100,
  needs: ["fashion-mnist"],
  base: { dataset: "fashion-mnist", recipe: "fashion", trainLimit: 6000, testLimit: 2000, epochs: 4 },
  ...partsOf(
    {
      name: "alexnet-227",
      input: [1, 227, 227],
      conv1: { kernelSize: 11, stride: 4 },
      widths: [96, 256, 384, 384, 256],
      hidden: 1024,
      pixelDeviation: 90,
    },
    methods,
    "ablations-227",
  ),
  notes: [
    ...notes,
    "Shortened: 6,000 training images, 4 epochs, 1024 units in the hidden linear layers, 2,000 test images. The recipe has no augmentation.",
  ],
  quick: { settings: { trainLimit: 100, testLimit: 100, epochs: 1 }, arms: [all, "no normalization", "no dropout"] },
};
