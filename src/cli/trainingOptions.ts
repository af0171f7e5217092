/** Options of `train` that other commands share. */
import { datasetNames } from "../dataset/sources/datasetNames.ts";
import { precisionNames } from "../engine/select/precision.ts";
import { ConfigError } from "../errors.ts";
import { type AugmentationName, augmentationNames } from "../image/augment/augmentation.ts";
import { fitDescriptions, fitNames } from "../image/prepare/fit.ts";
import { filters } from "../image/resize/taps.ts";
import { networks } from "../network/alexnet.ts";
import { optimizerNames } from "../training/optimizers/optimizers.ts";
import { normalizationNames, recipes } from "../training/recipe.ts";
import {
  dataDirOption,
  engineOption,
  fraction,
  heldOutFraction,
  inSection,
  maxBadOption,
  nonNegative,
  positiveInteger,
  positiveNumber,
  properFraction,
  seed,
  threadsOption,
  wholeNumber,
} from "./options.ts";
import type { ArgumentSpec, OptionSpec } from "./spec.ts";

export const datasetArgument: ArgumentSpec = {
  name: "[dataset]",
  help: `${datasetNames.join(", ")}, or a folder containing a folder per class (default: fashion-mnist)`,
  suggestions: datasetNames,
};

export const networkOption: OptionSpec = {
  flags: "--network <network>",
  help: "name (see alexnet summary) or JSON file (default: alexnet-fashion for grey images, alexnet-owt for colour)",
  suggestions: networks.map(({ name }) => name),
};

export const recipeOption: OptionSpec = {
  flags: "--recipe <recipe>",
  help: `training recipe: ${recipes.map(({ name }) => name).join(", ")}, or a JSON file (default: fashion for grey images, photos for colour)`,
  suggestions: recipes.map(({ name }) => name),
};

export const seedOption: OptionSpec = {
  flags: "--seed <n>",
  help: "random seed (default: the recipe's)",
  parse: seed,
};

export const inputSizeOption: OptionSpec = {
  flags: "--input-size <n>",
  help: "height and width of the network's input, in pixels",
  parse: positiveInteger,
};

export const batchSizeOption: OptionSpec = {
  flags: "--batch-size <n>",
  help: "images per batch (default: the recipe's)",
  parse: positiveInteger,
};

const validationShareOption: OptionSpec = {
  flags: "--validation-share <x>",
  help: "fraction of images to hold out if the folder has no val/ or test/ (default: 0.2)",
  parse: heldOutFraction,
};

const data = { heading: "Data", command: "train" };

/** Source of the images, for every command that reads a data set as `train` does. */
export const dataOptions: readonly OptionSpec[] = inSection(data, [dataDirOption, validationShareOption, maxBadOption]);

export const trainLimitOptions: readonly OptionSpec[] = inSection(data, [
  {
    flags: "--train-limit <n>",
    help: "train on the first n images only; from a folder, some of each class",
    parse: positiveInteger,
  },
]);

export const testLimitOptions: readonly OptionSpec[] = inSection(data, [
  { flags: "--test-limit <n>", help: "evaluate on the first n test images only", parse: positiveInteger },
]);

/** Preparation of images for the network. */
export const inputOptions: readonly OptionSpec[] = inSection({ heading: "Input", command: "train" }, [
  {
    flags: "--fit <name>",
    help: `how images are fitted to the input. ${fitDescriptions.map(([name, text]) => `${name}: ${text}`).join("; ")}`,
    choices: fitNames,
  },
  { flags: "--filter <name>", help: "resampling filter", choices: filters },
  { flags: "--normalization <name>", help: "normalization of pixel values", choices: normalizationNames },
  {
    flags: "--augment <list>",
    help: `augmentations of training images, comma-separated: ${augmentationNames.join(",")}; or none`,
    parse: augmentations,
    suggestions: [...augmentationNames, "none"],
  },
]);

/** Initial weights from a trained network, and which layers train. */
export const fineTuningOptions: readonly OptionSpec[] = inSection({ heading: "Fine-tuning", command: "train" }, [
  {
    flags: "--from <run>",
    help: "initial weights: run directory (its best), .safetensors file, or torchvision",
    suggestions: ["torchvision"],
  },
  {
    flags: "--freeze <layers>",
    help: "layers not to train: conv (all before the first linear layer), none, or comma-separated names",
    parse: names,
    suggestions: ["conv", "none"],
  },
  {
    flags: "--old-layers-rate <x>",
    help: "learning rate factor of layers initialised by --from (default: 0.1)",
    parse: nonNegative,
  },
  {
    flags: "--kept-views <n>",
    help: "number of augmented views per image to cache the frozen layers' output for (default: 1)",
    parse: wholeNumber,
  },
]);

export const optimizerOptions: readonly OptionSpec[] = inSection({ heading: "Optimizer", command: "train" }, [
  {
    flags: "--optimizer <name>",
    help: "optimizer; uses PyTorch's defaults unless the recipe's own is chosen",
    choices: optimizerNames,
  },
  { flags: "--momentum <x>", help: "SGD momentum", parse: fraction },
  { flags: "--nesterov", help: "Nesterov momentum, for SGD" },
  { flags: "--weight-decay <x>", help: "weight decay (L2 penalty; decoupled in AdamW)", parse: nonNegative },
  { flags: "--clip-norm <x>", help: "clip gradients to this global L2 norm", parse: positiveNumber },
  {
    flags: "--accumulate <n>",
    help: "accumulate gradients over n batches per optimizer step",
    parse: positiveInteger,
  },
  {
    flags: "--average <x>",
    help: "evaluate an exponential moving average of the weights with this decay, such as 0.999",
    parse: properFraction,
  },
]);

/** Engine, number format and threads. */
export const computeOptions: readonly OptionSpec[] = inSection({ heading: "Compute", command: "train" }, [
  engineOption,
  { flags: "--precision <name>", help: "number format (default: auto)", choices: precisionNames },
  { flags: "--exact", help: "direct convolution only: slower, without Winograd's rounding" },
  threadsOption,
]);

function names(text: string): readonly string[] {
  const list = text.split(",").map((name) => name.trim());
  if (!list.includes("")) return list;
  throw new ConfigError(`expected comma-separated names, got "${text}"`);
}

function augmentations(text: string): readonly AugmentationName[] {
  const given = text === "none" ? [] : text.split(",");
  return given.map((name) => {
    const found = augmentationNames.find((known) => known === name);
    if (found) return found;
    throw new ConfigError(`expected some of ${augmentationNames.join(",")}, or none, got "${text}"`);
  });
}
