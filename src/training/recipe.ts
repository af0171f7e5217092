/** Recipes: training settings as data, and the named ones. */
import * as z from "zod/mini";
import { ConfigError, UsageError } from "../errors.ts";
import { augmentationSchema } from "../image/augment/augmentation.ts";
import { type FitName, fitNames } from "../image/prepare/fit.ts";
import { filters } from "../image/resize/taps.ts";
import { initializerSchema } from "../network/initialize.ts";
import { belowOne, nonnegative, parseJson, positive, positiveInt, properFraction, someText } from "../schema.ts";
import { didYouMean } from "../suggest.ts";
import { earlyStoppingSchema } from "./earlyStopping.ts";
import { monitorNames } from "./monitor.ts";
import { classWeightsSchema } from "./objective/classWeights.ts";
import { positiveWeightsSchema } from "./objective/positiveWeights.ts";
import { optimizerSchema } from "./optimizers/optimizers.ts";
import { samplerNames } from "./sampler.ts";
import { scheduleSchema } from "./schedule.ts";

const factors = z.strictObject({
  learningRate: z._default(nonnegative, 1),
  weightDecay: z._default(nonnegative, 1),
});

/**
 * Scaling of pixels: `unit` scales them to 0 … 1, `symmetric` to −1 … 1; `standard` scales them to 0 … 1, then subtracts the training set's mean and divides by its deviation, channel by
 * channel. `mean` and `mean-image` keep the scale of 0 … 255 and subtract the training set's mean, of each channel or of each pixel (as the paper).
 */
export const normalizationNames = ["unit", "symmetric", "standard", "mean", "mean-image"] as const;

/** Thresholds of the labels of a multi-label network. `fixed`: 0.5. `fitted`: the best F1 score of each label on the validation set. */
export const thresholdNames = ["fixed", "fitted"] as const;

/** Some steps of planning take time in proportion to the epochs. */
const MAX_EPOCHS = 1_000_000;

/** Training settings as data: named, written by hand as JSON, and stored with every run. */
export const recipeSchema = z.strictObject({
  name: someText,
  source: z._default(z.string(), ""),
  deviations: z._default(z.array(z.string()), []),
  /** The network that it is meant for; the default network of a run with this recipe. */
  network: z.optional(someText),
  /** Number of epochs; 0.25 is a quarter of one. */
  epochs: positive.check(z.lte(MAX_EPOCHS)),
  batchSize: positiveInt,
  learningRate: positive,
  /** Number of images per step to which `learningRate` applies, see `rateScale`; absent for a rate that does not depend on it. */
  baseBatchSize: z.optional(positiveInt),
  optimizer: optimizerSchema,
  schedule: z._default(scheduleSchema, { kind: "constant" }),
  /** Epochs of linear warm-up, see `learningRateAt`. */
  warmup: z._default(nonnegative, 0),
  /** Maximum global L2 norm of the gradients, see `createOptimizer`; absent for no clipping. */
  clipNorm: z.optional(positive),
  /** Number of batches per optimizer step. */
  accumulate: z._default(positiveInt, 1),
  /** Decay of the weights' moving average, which evaluations use, see `averageDecay`; absent for none. */
  average: z.optional(properFraction),
  /** Factors on learning rate and weight decay, for `weight`, `bias`, or a tensor such as `conv1.bias`, which takes precedence. */
  multipliers: z._default(z.record(z.string(), factors), {}),
  initializer: initializerSchema,
  /** Fit of images to the input's size. */
  fit: z._default(z.enum(fitNames), "resize"),
  /** Shorter side of an image before it is cropped, in pixels; absent for 256 with an input of 224 or 227, otherwise 8/7 of the input. */
  shorterSide: z.optional(positiveInt),
  filter: z._default(z.enum(filters), "bilinear"),
  augmentation: z._default(augmentationSchema, {}),
  /** Scaling of pixels, see `normalizationNames`. */
  normalization: z.enum(normalizationNames),
  /** Label smoothing: fraction of every target that is spread over all classes. Source: Szegedy et al. 2016, §7. */
  labelSmoothing: z._default(belowOne, 0),
  /** α of mixup's Beta(α, α), 0 for none. Source: Zhang et al. 2018, who use 0.1 to 0.4 for photos. */
  mixup: z._default(nonnegative, 0),
  /** α of CutMix's Beta(α, α); 0 or absent for none. Source: Yun et al. 2019, who use 1. */
  cutmix: z.optional(nonnegative),
  classWeights: z._default(classWeightsSchema, "none"),
  /** Weights of present labels, for images with several labels or none; absent for 1. */
  positiveWeights: z.optional(positiveWeightsSchema),
  /** Thresholds of a multi-label network; absent for `fixed`. */
  thresholds: z.optional(z.enum(thresholdNames)),
  sampler: z._default(z.enum(samplerNames), "shuffle"),
  earlyStopping: z.optional(earlyStoppingSchema),
  /** Figure that selects the best weights, see `isBetter`. Every new run stores it; runs of versions without the option have none. */
  monitor: z.optional(z.enum(monitorNames)),
  seed: z._default(z.int().check(z.gte(0), z.lte(0xffffffff)), 0),
});

/** A recipe with all defaults filled in. */
export type Recipe = z.infer<typeof recipeSchema>;

/** Reads a recipe from parsed JSON; missing values take their defaults. Throws ConfigError, beginning with `origin`, naming the invalid value. */
export function parseRecipe(json: unknown, origin = "recipe"): Recipe {
  const parsed = parseJson(recipeSchema, json);
  if (parsed.problem !== undefined) throw new ConfigError(`${origin}: ${parsed.problem}`);
  return parsed.data;
}

// Sources and deviations stay as they are: runs store them, and resuming with --recipe compares them.
const paper: Recipe = recipeSchema.parse({
  name: "paper",
  source: "Krizhevsky, Sutskever, Hinton 2012, §5; factors for biases from the authors' published program",
  epochs: 90,
  batchSize: 128,
  learningRate: 0.01,
  optimizer: { form: "paper", momentum: 0.9, weightDecay: 0.0005 },
  schedule: { kind: "plateau", factor: 0.1, patience: 2, reductions: 3 },
  multipliers: { bias: { learningRate: 2, weightDecay: 0 } },
  initializer: {
    weight: { kind: "gaussian", deviation: 0.01 },
    ones: ["conv2", "conv4", "conv5", "fc6", "fc7"],
  },
  fit: "crop",
  augmentation: { flip: 0.5, lighting: 0.1 },
  normalization: "mean-image",
  deviations: [
    "the rate falls by rule, when the accuracy has not risen for two epochs; the authors lowered it by hand, by validation error",
    "the mean image is rounded to whole levels, and is that of 10,000 training pictures where there are more",
  ],
});

const d2l: Recipe = recipeSchema.parse({
  name: "d2l",
  source: "Zhang, Lipton, Li, Smola, “Dive into Deep Learning”, §8.1: plain SGD, Xavier initialisation",
  epochs: 10,
  batchSize: 128,
  learningRate: 0.01,
  optimizer: { form: "pytorch" },
  initializer: { weight: { kind: "xavierUniform" }, bias: "pytorch" },
  normalization: "unit",
});

const fashion: Recipe = recipeSchema.parse({
  name: "fashion",
  source:
    "Krizhevsky, Sutskever, Hinton 2012, §5, with the initialisation of Glorot and Bengio 2010; chosen by measurement",
  deviations: [
    "Xavier initialisation, where the paper draws with a deviation of 0.01 and starts some biases at 1",
    "constant rate; biases learn at the same rate as weights and decay with them",
  ],
  epochs: 10,
  batchSize: 128,
  learningRate: 0.01,
  optimizer: { form: "paper", momentum: 0.9, weightDecay: 0.0005 },
  initializer: { weight: { kind: "xavierUniform" } },
  normalization: "standard",
});

const photos: Recipe = recipeSchema.parse({
  name: "photos",
  source: "Krizhevsky, Sutskever, Hinton 2012, §4 and §5, for hundreds to thousands of photos",
  deviations: [
    "Xavier initialisation, where the paper draws with a deviation of 0.01 and starts some biases at 1",
    "30 epochs, the rate divided by 10 after each ten of them; batches of 64",
    "pixels are scaled by mean and deviation of each channel",
  ],
  epochs: 30,
  batchSize: 64,
  learningRate: 0.01,
  optimizer: { form: "paper", momentum: 0.9, weightDecay: 0.0005 },
  schedule: { kind: "step", everyEpochs: 10, everyFraction: 1 / 3, factor: 0.1 },
  initializer: { weight: { kind: "xavierUniform" } },
  fit: "crop",
  augmentation: { flip: 0.5, lighting: 0.1 },
  normalization: "standard",
});

const small: Recipe = recipeSchema.parse({
  name: "small",
  source:
    "Krizhevsky, Sutskever, Hinton 2012, §5, for pictures of 28 to 64 pixels at their own size; moved and reflected as in He et al. 2015, §4.2",
  deviations: [
    "Xavier initialisation, where the paper draws with a deviation of 0.01 and starts some biases at 1",
    "20 epochs, the rate divided by 10 after each eight of them",
  ],
  epochs: 20,
  batchSize: 128,
  learningRate: 0.01,
  optimizer: { form: "paper", momentum: 0.9, weightDecay: 0.0005 },
  schedule: { kind: "step", everyEpochs: 8, everyFraction: 0.4, factor: 0.1 },
  initializer: { weight: { kind: "xavierUniform" } },
  fit: "native",
  augmentation: { flip: 0.5, shift: 0.125 },
  normalization: "standard",
});

const flowers: Recipe = recipeSchema.parse({
  name: "flowers",
  source:
    "the usual exercise on the flower photos: half-width network, Adam (Kingma and Ba 2015) at 0.0002, batches of 32; initialisation of He et al. 2015",
  network: "alexnet-half",
  epochs: 10,
  batchSize: 32,
  learningRate: 0.0002,
  optimizer: { kind: "adam" },
  initializer: { weight: { kind: "heNormal" } },
  fit: "random-resized-crop",
  augmentation: { flip: 0.5 },
  normalization: "symmetric",
});

const modernSmall: Recipe = recipeSchema.parse({
  name: "modern-small",
  source:
    "Jordan 2024, “94% on CIFAR-10 in 3.29 Seconds on a Single GPU”, §3: whitening, moved crops and reflections, label smoothing, Nesterov momentum; one cycle of Smith and Topin 2018; for images of 28 to 64 pixels at their own size",
  deviations: [
    "all weights are trained, where Jordan keeps those of the whitening",
    "batches of 128, Xavier initialisation, smoothing of 0.1, and one cycle to 0.05",
  ],
  network: "alexnet-fast",
  epochs: 11,
  batchSize: 128,
  learningRate: 0.05,
  optimizer: { form: "nesterov", momentum: 0.9, weightDecay: 0.0005 },
  schedule: { kind: "one-cycle" },
  initializer: { weight: { kind: "xavierUniform" }, layers: { conv1: { kind: "whitening" } } },
  fit: "native",
  augmentation: { flip: 0.5, reflectCrop: 1 / 16 },
  normalization: "standard",
  labelSmoothing: 0.1,
});

const modernFashion: Recipe = recipeSchema.parse({
  ...modernSmall,
  name: "modern-fashion",
  source: modernSmall.source.replace("images of 28 to 64 pixels at their own size", "Fashion-MNIST"),
  epochs: 25,
  // 2 pixels of 28: the articles are centred.
  augmentation: { flip: 0.5, reflectCrop: 1 / 14 },
});

const largeBatch: Recipe = recipeSchema.parse({
  name: "large-batch",
  source:
    "You, Gitman, Ginsburg 2017, “Large Batch Training of Convolutional Networks”, §4 and §5: LARS with a polynomial schedule of power 2; linear scaling and warm-up of Goyal et al. 2017, §2",
  deviations: [
    "Xavier initialisation, 30 epochs, 5 of them for warm-up",
    "learning rate for batches of 128 chosen by trials of a small network on 12,288 images of Fashion-MNIST",
  ],
  epochs: 30,
  batchSize: 1024,
  learningRate: 1,
  baseBatchSize: 128,
  optimizer: { kind: "lars" },
  schedule: { kind: "polynomial", power: 2 },
  warmup: 5,
  initializer: { weight: { kind: "xavierUniform" } },
  augmentation: { flip: 0.5 },
  normalization: "standard",
});

/** Every named recipe, for `--recipe`. */
export const recipes: readonly Recipe[] = [
  fashion,
  d2l,
  paper,
  photos,
  small,
  flowers,
  modernSmall,
  modernFashion,
  largeBatch,
];

/** Name of the recipe of a run that names none, for images of 1 or 3 channels. */
export function defaultRecipe(channels: 1 | 3, fit: FitName | undefined): string {
  if (channels === 1) return fashion.name;
  return fit === "native" ? small.name : photos.name;
}

/** Finds a recipe by name. Throws ConfigError (a UsageError) listing the names if it is unknown. */
export function findRecipe(name: string): Recipe {
  const found = recipes.find((recipe) => recipe.name === name);
  if (found) return found;
  const names = recipes.map((recipe) => recipe.name);
  throw new UsageError(
    `recipe "${name}": unknown${didYouMean(name, names)}; expected one of ${names.join(", ")}, or a FILE.json`,
  );
}
