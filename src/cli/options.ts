/** Options and arguments shared by several commands, and the parsers of their values. */
import { pretrainedNames } from "../checkpoint/pretrainedNames.ts";
import { type InferencePrecisionName, inferencePrecisionNames } from "../engine/select/precision.ts";
import { ConfigError } from "../errors.ts";
import { readFormats } from "../image/files/format.ts";
import type { CalibrationChoice, OpenOptions } from "../model/openModel.ts";
import { MAX_SIZE } from "../schema.ts";
import type { ArgumentSpec, Invocation, OptionSection, OptionSpec } from "./spec.ts";

/** Creates a parser of numbers within bounds, which throws ConfigError with the expected and the given text. */
function number(expected: string, accepts: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(value) && accepts(value)) return value;
    throw new ConfigError(`expected ${expected}, got "${text}"`);
  };
}

export const positiveInteger = number(
  `a whole number above 0 and at most ${MAX_SIZE}`,
  (value) => Number.isInteger(value) && value > 0 && value <= MAX_SIZE,
);
export const positiveNumber = number("a number above 0", (value) => value > 0);
export const nonNegative = number("a number of 0 or more", (value) => value >= 0);
export const numberAboveOne = number("a number above 1", (value) => value > 1);
export const properFraction = number("a number above 0 and below 1", (value) => value > 0 && value < 1);
export const portNumber = number(
  "a port from 0 to 65535",
  (value) => Number.isInteger(value) && value >= 0 && value <= 65535,
);
export const seed = number(
  "a whole number from 0 to 4294967295",
  (value) => Number.isInteger(value) && value >= 0 && value <= 0xffffffff,
);

/** The same options, under a heading of their own. */
export function inSection(section: OptionSection, options: readonly OptionSpec[]): readonly OptionSpec[] {
  return options.map((option) => ({ ...option, section }));
}

export const runArgument: ArgumentSpec = {
  name: "<run>",
  help: "run directory (its best weights), latest (the newest run), .safetensors file, or torchvision",
  suggestions: pretrainedNames,
};

export const imageArgument: ArgumentSpec = { name: "<image>", help: `${readFormats} file` };

export const jsonOption: OptionSpec = { flags: "--json", help: "print the result as JSON" };

export const samplesOption: OptionSpec = {
  flags: "--samples <n>",
  help: "average n stochastic predictions (networks that keep dropout on at evaluation)",
  parse: positiveInteger,
  default: 1,
};

/** Note on results that depend on random numbers. `subject` includes its verb. */
export function randomnessNote(subject: string, samples: number): string {
  const drawn = samples === 1 ? "a random sample" : `the mean of ${samples} random samples`;
  return `Dropout is active at evaluation in this network: ${subject} ${drawn} (--samples, --seed).`;
}

export const thresholdOption: OptionSpec = {
  flags: "--threshold <p>",
  help: "minimum probability for a class to be present, from 0 to 1; below it, an image shows none (default: the weights' own; 0.5 in multi-label networks)",
  parse: properFraction,
};

/** Number format of a trained network, and the images of its int8 calibration. */
export const inferencePrecisionOptions: readonly OptionSpec[] = [
  {
    flags: "--precision <name>",
    help: "number format; auto is the run's",
    choices: inferencePrecisionNames,
    default: "auto",
  },
  {
    flags: "--calibrate <dataset>",
    help: "int8: data set or image folder to calibrate on (default: the stored calibration, or the run's training images)",
  },
];

/** Values of `inferencePrecisionOptions`. */
export interface InferencePrecisionFlags {
  readonly precision: InferencePrecisionName;
  readonly calibrate?: string;
}

/** The options of a network by these flags. Wrong usage for images to calibrate on without int8. */
export function inferencePrecision(
  { precision, calibrate }: InferencePrecisionFlags,
  invocation: Invocation,
  { dataDir, onProgress }: Pick<CalibrationChoice, "dataDir" | "onProgress"> = {},
): Pick<OpenOptions, "precision" | "calibration"> {
  if (calibrate !== undefined && precision !== "int8") invocation.fail("--calibrate requires --precision int8");
  return {
    precision,
    calibration: {
      ...(calibrate === undefined ? {} : { dataset: calibrate }),
      ...(dataDir === undefined ? {} : { dataDir }),
      ...(onProgress && { onProgress }),
    },
  };
}

/** The file that a command draws its figure to. */
export function figureOption(file: string): OptionSpec {
  return { flags: "--output <file>", help: "figure to write; the name ends in .png or .svg", default: file };
}

/** Size options of a network, for `summary` and `draw`. */
export const networkSizeOptions: readonly OptionSpec[] = [
  { flags: "--input-size <n>", help: "height and width of the input, in pixels", parse: positiveInteger },
  { flags: "--classes <n>", help: "number of classes", parse: positiveInteger },
];

/** Flags of `networkSizeOptions`. */
export interface NetworkSizeFlags {
  readonly inputSize?: number;
  readonly classes?: number;
}

/** Port and address options of the live page, for `live` and `train --live`. */
export function liveAddressOptions(port: string, host: string): readonly OptionSpec[] {
  return [
    { flags: `${port} <n>`, help: "port of the live page; 0 chooses a free one", parse: portNumber, default: 0 },
    {
      flags: `${host} <address>`,
      help: "address to serve the live page on; with any other address, other machines can open the page",
      default: "127.0.0.1",
    },
  ];
}
