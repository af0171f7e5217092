/** Options shared by several commands. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { engineNames } from "../engine/select/engineNames.ts";
import { type AugmentationName, augmentationNames } from "../image/augment/augmentation.ts";
import { fitDescriptions, fitNames } from "../image/prepare/fit.ts";
import { filters } from "../image/resize/taps.ts";
import { optimizerNames } from "../training/optimizers/optimizers.ts";
import { normalizationNames } from "../training/recipe.ts";

/** Reads a number within bounds. */
function number(what: string, accepts: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(value) && accepts(value)) return value;
    throw new InvalidArgumentError(`expected ${what}, got "${text}"`);
  };
}

export const positiveInteger = number("a whole number above 0", (value) => Number.isInteger(value) && value > 0);
const wholeNumber = number("a whole number of 0 or more", (value) => Number.isInteger(value) && value >= 0);
export const properPerplexity = number("a number above 1", (value) => value > 1);
export const positiveNumber = number("a number above 0", (value) => value > 0);
export const share = number("a number from 0 up to, not including, 1", (value) => value >= 0 && value < 1);
export const properShare = number("a number above 0 and below 1", (value) => value > 0 && value < 1);
export const heldOutShare = number(
  "a number above 0 and below 1, since a network is measured by what is held out (nothing is, where there is a val/ or test/)",
  (value) => value > 0 && value < 1,
);
export const nonNegative = number("a number of 0 or more", (value) => value >= 0);
export const portNumber = number(
  "a port from 0 to 65535",
  (value) => Number.isInteger(value) && value >= 0 && value <= 65535,
);
export const seed = number(
  "a whole number from 0 to 4294967295",
  (v) => Number.isInteger(v) && v >= 0 && v <= 0xffffffff,
);

/** Names with commas between. */
function names(text: string): readonly string[] {
  const list = text.split(",").map((name) => name.trim());
  if (!list.includes("")) return list;
  throw new InvalidArgumentError(`expected names with commas between, got "${text}"`);
}

export function engineOption(): Option {
  return new Option("--engine <name>", "what computes; auto takes oneDNN where it is found").choices(engineNames);
}

export function threadsOption(): Option {
  return new Option("--threads <n>", "threads to compute on (default: the cores given to this process)").argParser(
    positiveInteger,
  );
}

export function dataDirOption(): Option {
  return new Option(
    "--data-dir <dir>",
    "folder of the data set's files (default: where the system or a download put them)",
  );
}

export function maxBadOption(): Option {
  return new Option("--max-bad <x>", "share of damaged images to go on with (default: 0.01)").argParser(share);
}

export function validationShareOption(): Option {
  return new Option("--validation-share <x>", "held out of a folder without val/ or test/ (default: 0.2)").argParser(
    heldOutShare,
  );
}

export function jsonOption(): Option {
  return new Option("--json", "print the result as JSON");
}

/** How pictures become a network's input, for `train` and `augment` alike. */
export function addInputOptions(command: Command): void {
  const fits = fitDescriptions.map(([name, description]) => `${name}: ${description}`).join("; ");
  command
    .addOption(new Option("--fit <name>", `how images are fitted to the input. ${fits}`).choices(fitNames))
    .addOption(new Option("--filter <name>", "how images are resized").choices(filters))
    .addOption(new Option("--normalization <name>", "what pixels become").choices(normalizationNames))
    .option(
      "--augment <list>",
      `changes of training images: some of ${augmentationNames.join(",")}, or none`,
      augmentations,
    );
}

/** What a run begins with besides drawn weights, for `train` and `lr-find` alike. */
export function addFineTuneOptions(command: Command): void {
  command
    .option("--from <run>", "begin with the weights of a run directory (its best), a .safetensors file, or torchvision")
    .option("--freeze <layers>", "not trained: conv (all before the first linear layer), none, or names", names)
    .option("--old-layers-rate <x>", "factor on the rate of layers that --from has (default: 0.1)", nonNegative)
    .option("--kept-views <n>", "views of a picture whose frozen layers' output is kept (default: 1)", wholeNumber);
}

/** What makes steps of gradients, for `train`, `lr-find` and `bench` alike. */
export function addOptimizerOptions(command: Command): void {
  command
    .addOption(
      new Option("--optimizer <name>", "with the defaults of PyTorch, if not the recipe's").choices(optimizerNames),
    )
    .option("--momentum <x>", "share of the last step kept in the next, of sgd", share)
    .option("--nesterov", "Nesterov's momentum, of sgd")
    .option("--weight-decay <x>", "pull of the weights towards 0", nonNegative)
    .option("--clip-norm <x>", "largest norm of all gradients together", positiveNumber)
    .option("--accumulate <n>", "batches whose mean gradient makes a step", positiveInteger)
    .option("--average <x>", "evaluate a moving average of the weights with this decay, such as 0.999", properShare);
}

function augmentations(text: string): readonly AugmentationName[] {
  const names = text === "none" ? [] : text.split(",");
  return names.map((name) => {
    const found = augmentationNames.find((known) => known === name);
    if (found) return found;
    throw new InvalidArgumentError(`expected some of ${augmentationNames.join(",")}, or none, got "${text}"`);
  });
}
