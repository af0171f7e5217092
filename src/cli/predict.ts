/** `alexnet predict`. */
import { statSync } from "node:fs";
import type { Command } from "commander";
import { DataError } from "../errors.ts";
import type { ClassScore } from "../model/classifier.ts";
import { formatPredictions } from "../report/tables/terminal.ts";
import { engineOption, jsonOption, positiveInteger, seed, threadsOption } from "./options.ts";
import { print, printJson, refuseMixedOutput, tell, unicodeOutput } from "./output.ts";
import type { PredictFlags } from "./predictMany.ts";

const examples = `
Examples:
  alexnet predict runs/quick shoe.png              the most probable classes
  alexnet predict torchvision cat.jpg              with published weights (pull)
  alexnet predict runs/quick *.jpg --top 1 --json  for a program
  alexnet predict runs/rgb photo.jpg --samples 20  where dropout stays active
  alexnet predict runs/quick photos/ --csv out.csv all in a folder and below
  alexnet predict runs/quick photos/ --json        a line of JSON for each
  alexnet predict runs/quick photos/ --features fc7 --output fc7.npy

With a folder, --csv or --features, images are computed in batches, and any
number of them can be given; the names of the files that features are of are
written beside them (fc7.files.json).
`;

export function addPredict(program: Command): void {
  program
    .command("predict")
    .description("classify JPEG, PNG, WebP or GIF images, prepared as the run's test images were")
    .argument("<run>", "a run directory (its best weights), a .safetensors file, or torchvision")
    .argument("<image...>", "files of up to 50 megapixels, whatever their names, or folders of them")
    .option("--top <n>", "classes to show", positiveInteger, 5)
    .option("--samples <n>", "average so many draws, where dropout is active at evaluation", positiveInteger, 1)
    .option("--seed <n>", "of those draws", seed, 0)
    .option("--csv <file>", "write file, class, probability, the next class, … of every image (-: printed)")
    .option("--features <layer>", "write what a layer makes of every image, instead of classes")
    .option("--output <file>", "where to: a .npy or .safetensors file")
    .option("--batch-size <n>", "images computed at a time, with a folder, --csv or --features", positiveInteger, 128)
    .addOption(engineOption())
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(predictCommand);
}

/** A file that is no image does not keep the others from being classified. */
async function predictCommand(
  run: string,
  images: readonly string[],
  flags: PredictFlags,
  command: Command,
): Promise<void> {
  const { engine, threads, json, top, samples, seed: drawSeed, csv, features, output } = flags;
  if ((features === undefined) !== (output === undefined)) {
    command.error("error: --features LAYER and --output FILE go together: what to write, and where");
  }
  if (features !== undefined && (csv !== undefined || json)) {
    command.error("error: --features writes what a layer makes of images, no classes: leave out --csv and --json");
  }
  refuseMixedOutput(command, csv, json);
  if (csv !== undefined || features !== undefined || images.some(isFolder)) {
    const { predictMany } = await import("./predictMany.ts");
    return predictMany(run, images, flags);
  }
  const { openClassifier } = await import("../model/classifier.ts");
  const classifier = await openClassifier(run, {
    onMessage: tell,
    ...(engine ? { engine } : {}),
    ...(threads === undefined ? {} : { threads }),
  });
  const results: { readonly file: string; readonly classes: readonly ClassScore[] }[] = [];
  try {
    for (const file of images) {
      try {
        const classes = (await classifier.predict(file, { samples, seed: drawSeed })).slice(0, top);
        results.push({ file, classes });
        if (!json) print(`${file}\n${formatPredictions(classes, { unicode: unicodeOutput() })}\n`);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
        tell(`alexnet: ${error.message}`);
        process.exitCode = error.exitCode;
      }
    }
    if (json) printJson(results);
    if (classifier.isRandom) {
      const draws = samples === 1 ? "a draw" : `the mean of ${samples} draws`;
      tell(`Dropout is active at evaluation in this network: each answer is ${draws} (--samples, --seed).`);
    }
  } finally {
    classifier.close();
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
