/** `alexnet predict`. */
import { statSync } from "node:fs";
import { DataError } from "../../errors.ts";
import { printable } from "../../escape.ts";
import { readFormats } from "../../image/files/format.ts";
import { readImageStream } from "../../image/files/readImageFile.ts";
import type { Classifier } from "../../model/classifier.ts";
import { type ClassScore, shownClasses } from "../../model/predictRows.ts";
import { formatPredictions } from "../../report/tables/terminal.ts";
import { foreignOpening, inferenceOptions, modelArgument } from "../importOptions.ts";
import {
  inferencePrecision,
  positiveInteger,
  randomnessNote,
  samplesOption,
  seed,
  thresholdOption,
} from "../options.ts";
import { print, printError, printJson, printProblem, refuseMixedOutput, unicodeOutput } from "../output.ts";
import type { PredictFlags } from "../predictMany.ts";
import { imageProgress } from "../progress.ts";
import type { CommandSpec, Invocation } from "../spec.ts";

export const predict: CommandSpec = {
  arguments: [
    modelArgument,
    {
      name: "<image...>",
      help: `${readFormats} files of up to 64 megapixels, or folders of them; - reads one image from standard input`,
    },
  ],
  options: [
    {
      flags: "--top <n>",
      help: "number of classes to show, besides all that are present in a multi-label network",
      parse: positiveInteger,
      default: 5,
    },
    samplesOption,
    { flags: "--seed <n>", help: "random seed of those predictions", parse: seed, default: 0 },
    thresholdOption,
    {
      flags: "--csv <file>",
      help: "write file, class, probability, next class, … of every image, and the present classes of a multi-label network; - prints them",
    },
    { flags: "--features <layer>", help: "write this layer's output for every image instead of class predictions" },
    { flags: "--output <file>", help: "file for --features, .npy or .safetensors" },
    {
      flags: "--batch-size <n>",
      help: "images per batch, with a folder, --csv or --features",
      parse: positiveInteger,
      default: 128,
    },
    ...inferenceOptions,
  ],
  examples: [
    ["alexnet predict runs/quick shoe.png", "the most probable classes"],
    ["alexnet predict torchvision cat.jpg", "published weights (pull)"],
    ["alexnet predict photos.onnx cat.jpg", "a file of export, or of another program"],
    ["curl -s URL | alexnet predict latest -", "the newest run, standard input"],
    ["alexnet predict runs/quick *.jpg --top 1 --json", "for a program"],
    ["alexnet predict runs/rgb photo.jpg --samples 20", "if dropout stays on"],
    ["alexnet predict runs/quick photos/ --csv out.csv", "a folder, recursively"],
    ["alexnet predict runs/quick photos/ --json", "a line of JSON per image"],
    ["alexnet predict runs/quick photos/ --precision int8", "faster, 8-bit numbers"],
    ["alexnet predict runs/quick photos/ --features fc7 --output fc7.npy"],
  ],
  notes: `
Images are prepared like the run's test images. With a folder, --csv or
--features, they are computed in batches, and may be any number. --features also
writes the file names, to fc7.files.json next to fc7.npy.`,
  run: predictImages,
};

async function predictImages(
  run: string,
  images: readonly string[],
  flags: PredictFlags,
  invocation: Invocation,
): Promise<void> {
  const { foldsIn } = await import("../../model/foldRuns.ts");
  const isFolds = (await foldsIn(run)) !== undefined;
  const isBatch = flags.csv !== undefined || flags.features !== undefined || isFolds || images.some(isFolder);
  refuseContradictions(images, flags, isBatch, invocation);
  const calibrating = imageProgress("calibrate");
  const say = (message: string) => {
    calibrating.clear();
    printError(message);
  };
  const opening = {
    ...inferencePrecision(flags, invocation, { onProgress: calibrating.update }),
    ...(await foreignOpening(flags, say)),
  };
  if (isBatch) {
    const { predictMany } = await import("../predictMany.ts");
    return predictMany(run, images, flags, opening);
  }
  const { engine, threads } = flags;
  const { openClassifier } = await import("../../model/classifier.ts");
  const classifier = await openClassifier(run, {
    ...opening,
    onMessage: say,
    ...(engine ? { engine } : {}),
    ...(threads === undefined ? {} : { threads }),
  }).finally(calibrating.clear);
  try {
    await predictEach(classifier, images, flags);
  } finally {
    await classifier.close();
  }
}

/** Fails as wrong usage for flags that exclude each other. */
function refuseContradictions(
  images: readonly string[],
  { json, csv, features, output, samples, threshold }: PredictFlags,
  isBatch: boolean,
  invocation: Invocation,
): void {
  if ((features === undefined) !== (output === undefined)) {
    invocation.fail("--features LAYER and --output FILE require each other");
  }
  if (features !== undefined && (csv !== undefined || json)) {
    invocation.fail("--features writes outputs of a layer, not classes; remove --csv and --json");
  }
  if (features !== undefined && (samples > 1 || threshold !== undefined)) {
    invocation.fail("--features writes outputs of a layer, not probabilities; remove --samples and --threshold");
  }
  refuseMixedOutput(invocation, csv, json);
  if (images.includes(STANDARD_INPUT) && isBatch) {
    invocation.fail("- reads one image from standard input; name files with --csv, --features or folders");
  }
}

/** Classifies images one by one; an unreadable one does not stop the others. */
async function predictEach(
  classifier: Classifier,
  images: readonly string[],
  { json, top, samples, seed: drawSeed, threshold }: PredictFlags,
): Promise<void> {
  const options = { samples, seed: drawSeed, ...(threshold === undefined ? {} : { threshold }) };
  const results: { readonly file: string; readonly classes: readonly ClassScore[] }[] = [];
  for (const file of images) {
    try {
      const input = file === STANDARD_INPUT ? await readImageStream(process.stdin) : file;
      const classes = shownClasses(await classifier.predict(input, options), top);
      results.push({ file, classes });
      if (!json) print(`${printable(file)}\n${formatPredictions(classes, { unicode: unicodeOutput() })}\n`);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      printProblem(file === STANDARD_INPUT ? error.message.replace(/^image: /, "standard input: ") : error.message);
      process.exitCode = error.exitCode;
    }
  }
  if (json) printJson(results);
  if (classifier.isRandom) printError(randomnessNote("each prediction is", samples));
}

/** Value of `<image>` for standard input. */
const STANDARD_INPUT = "-";

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
