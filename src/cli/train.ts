import { basename } from "node:path";
import { type Command, Option } from "commander";
import type { LogEntry } from "../checkpoint/runLog.ts";
import type { EngineName } from "../classifier/engineNames.ts";
import { type PrecisionName, precisionNames } from "../classifier/precision.ts";
import type { TrainResult } from "../classifier/trainClassifier.ts";
import type { TrainObserver, TrainProgress } from "../classifier/trainObserver.ts";
import { datasets } from "../dataset/datasets.ts";
import type { AugmentationName } from "../image/augmentation.ts";
import type { FitName } from "../image/fit.ts";
import type { Filter } from "../image/taps.ts";
import { formatBytes, formatDuration, formatLoss, formatPercent, formatRate } from "../report/numbers.ts";
import { type Recipe, recipes } from "../training/recipe.ts";
import {
  addInputOptions,
  dataDirOption,
  engineOption,
  jsonOption,
  nonNegative,
  positiveInteger,
  positiveNumber,
  seed,
  share,
  threadsOption,
} from "./options.ts";
import { imageProgress, print, printJson, progressLine, tell } from "./output.ts";
import { onStopSignals } from "./signals.ts";

interface TrainFlags {
  readonly network?: string;
  readonly recipe?: string;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly learningRate?: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly seed?: number;
  readonly inputSize?: number;
  readonly fit?: FitName;
  readonly filter?: Filter;
  readonly normalization?: Recipe["normalization"];
  readonly augment?: readonly AugmentationName[];
  readonly validationShare?: number;
  readonly maxBad?: number;
  readonly trainLimit?: number;
  readonly testLimit?: number;
  readonly maxMinutes?: number;
  readonly engine?: EngineName;
  readonly precision?: PrecisionName;
  readonly exact?: boolean;
  readonly threads?: number;
  readonly dataDir?: string;
  readonly run?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet train                                    defaults, on Fashion-MNIST
  alexnet train --epochs 0.25 --run runs/quick     a quarter of an epoch
  alexnet train --recipe d2l --learning-rate 0.02  a recipe, one value changed
  alexnet train --run runs/quick --resume          go on with a stopped run
  alexnet train photos/                            a folder for each class
  alexnet train photos/ --fit pad --augment flip   whole pictures, reflected
  alexnet train cifar10 --fit native               small pictures as they are

A run directory holds config.json, log.jsonl, curves.svg, curves.png,
report.html and checkpoints (*.safetensors).
Ctrl-C saves and stops; a second one stops at once.
`;

/** `argv` is what was typed behind `alexnet`, for the record. */
export function addTrain(program: Command, argv: readonly string[]): void {
  const train = program
    .command("train")
    .description("train a network on a data set")
    .argument(
      "[dataset]",
      `${datasets.map(({ name }) => name).join(", ")}, or a folder with a folder for each class (default: fashion-mnist)`,
    )
    .option(
      "--network <name>",
      "a name (see: alexnet summary), or a JSON file (default: alexnet-fashion for grey, alexnet-owt for colour)",
    )
    .option(
      "--recipe <name>",
      `how to train: ${recipes.map(({ name }) => name).join(", ")}, or a JSON file (default: fashion for grey, photos for colour)`,
    )
    .option("--epochs <n>", "passes through the training images; may be a fraction", positiveNumber)
    .option("--batch-size <n>", "images in a step", positiveInteger)
    .option("--learning-rate <x>", "step size of the optimizer", positiveNumber)
    .option("--momentum <x>", "share of the last step kept in the next", share)
    .option("--weight-decay <x>", "pull of the weights towards 0", nonNegative)
    .option("--seed <n>", "of every random choice", seed)
    .option("--input-size <n>", "height and width of the network's input, in pixels", positiveInteger)
    .option("--validation-share <x>", "held out of a folder without val/ or test/ (default: 0.2)", share)
    .option("--max-bad <x>", "share of damaged images to go on with (default: 0.01)", share)
    .option("--train-limit <n>", "train on the first n images only; of a folder, some of each class", positiveInteger)
    .option("--test-limit <n>", "evaluate on so many test images only", positiveInteger)
    .option("--max-minutes <n>", "evaluate and stop after so many minutes", positiveNumber)
    .addOption(engineOption())
    .addOption(new Option("--precision <name>", "number format of the compute (default: auto)").choices(precisionNames))
    .option("--exact", "direct convolution only, slower: without Winograd's rounding")
    .addOption(threadsOption())
    .addOption(dataDirOption())
    .option("--run <dir>", "the run's directory (default: runs/<network>-<n>, a new one)")
    .option("--resume", "go on with the run in --run")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((dataset: string | undefined, flags: TrainFlags, command: Command) =>
      trainCommand(dataset, flags, command, argv),
    );
  addInputOptions(train);
}

async function trainCommand(
  dataset: string | undefined,
  { json, ...flags }: TrainFlags,
  command: Command,
  argv: readonly string[],
): Promise<void> {
  if (flags.resume && flags.run === undefined) command.error("error: --resume needs --run DIR, the run to go on with");
  const lines = progressLines();
  const stop = onStopSignals(() => tell("\nStopping. Once more to stop at once."));
  try {
    const { trainClassifier } = await import("../classifier/trainClassifier.ts");
    const result = await trainClassifier({
      ...flags,
      ...(dataset === undefined ? {} : { dataset }),
      signal: stop.signal,
      observer: observer(lines),
      command: ["alexnet", ...argv].map(quoted).join(" "),
    });
    lines.clear();
    if (json) printJson(result);
    else if (result.end !== "interrupt") printResult(result);
    if (result.end === "interrupt") {
      tell(`Saved. Go on with: alexnet train --run ${result.run} --resume`);
      process.exitCode = stop.exitCode();
    }
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    // Before training has begun: what is packed stays.
    lines.clear();
    tell("Stopped before training. The same command goes on with the images that are packed.");
    process.exitCode = stop.exitCode();
  } finally {
    lines.clear();
    stop.end();
  }
}

/** As a shell takes it. */
function quoted(argument: string): string {
  return /^[\w./=:,+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

function progressLines() {
  const training = progressLine("train");
  const evaluating = progressLine("test ");
  const downloading = progressLine("download");
  const packing = imageProgress("pack ");
  const clear = () => {
    for (const line of [training, evaluating, downloading, packing]) line.clear();
  };
  return { training, evaluating, downloading, packing, clear };
}

function observer({
  training,
  evaluating,
  downloading,
  packing,
  clear,
}: ReturnType<typeof progressLines>): TrainObserver {
  return {
    onDownload: (bytes, of) => downloading.update(bytes, of, `${formatBytes(bytes)} of ${formatBytes(of)}`),
    onPacking(images, of) {
      downloading.clear();
      packing.update(images, of);
    },
    onMessage(message) {
      clear();
      tell(message);
    },
    onStart({ directory, config, epoch }) {
      clear();
      const { network, dataset, recipe, engine, machine, precision } = config;
      const from = epoch > 0 ? `, from epoch ${epoch.toFixed(2)}` : "";
      tell(
        `${network.name} (${network.input.join("×")}) on ${basename(dataset.name)}: ${dataset.trainImages} images, recipe ${recipe.name}${from}`,
      );
      tell(`${engine.description}, ${precision}, ${machine.cpu}`);
      tell(`run directory ${directory}`);
    },
    onProgress(progress) {
      evaluating.clear();
      training.update(progress.images, progress.totalImages, progressText(progress));
    },
    onEvaluationProgress(images, of) {
      training.clear();
      evaluating.update(images, of, `${images} of ${of} images`);
    },
    onEpoch(entry) {
      clear();
      tell(epochLine(entry));
    },
  };
}

function progressText({ loss, accuracy, examplesPerSecond, images, totalImages }: TrainProgress): string {
  const left = formatDuration((totalImages - images) / examplesPerSecond);
  return `loss ${formatLoss(loss)} acc ${formatPercent(accuracy)} ${formatRate(examplesPerSecond, "images")} ${left} left`;
}

function epochLine({ epoch, trainLoss, trainAccuracy, testAccuracy = 0 }: LogEntry): string {
  const figures = `train loss ${formatLoss(trainLoss)}, train acc ${formatPercent(trainAccuracy)}`;
  return `epoch ${Number(epoch.toFixed(2))}: ${figures}, test acc ${formatPercent(testAccuracy)}`;
}

/** The closing lines of Dive into Deep Learning's training function. */
function printResult({ run, end, last, device }: TrainResult): void {
  if (end === "already finished") tell(`${run}: already finished; nothing to do`);
  if (last) {
    const { trainLoss, trainAccuracy, testAccuracy = 0, iteration, seconds } = last;
    print(`loss ${formatLoss(trainLoss)}, train acc ${trainAccuracy.toFixed(3)}, test acc ${testAccuracy.toFixed(3)}`);
    print(`${last.examplesPerSecond.toFixed(1)} examples/sec on ${device}`);
    tell(`${iteration} iterations in ${formatDuration(seconds)}`);
  }
  if (end === "time") tell(`Stopped for time. Go on with: alexnet train --run ${run} --resume`);
  print(`report ${run}/report.html`);
}
