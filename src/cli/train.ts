/** `alexnet train`. */
import { type Command, Option } from "commander";
import { datasetNames } from "../dataset/sources/datasetNames.ts";
import { precisionNames } from "../engine/select/precision.ts";
import { formatDuration, formatLoss } from "../report/numbers.ts";
import { divergenceActions } from "../settings/divergencePolicy.ts";
import type { TrainOptions, TrainResult } from "../trainer/trainClassifier.ts";
import type { TrainObserver } from "../trainer/trainObserver.ts";
import { recipes } from "../training/recipe.ts";
import { samplerNames } from "../training/sampler.ts";
import { scheduleNames } from "../training/schedule.ts";
import { liveHost, livePort } from "./live.ts";
import { startLive } from "./liveChild.ts";
import type { LiveAddress } from "./liveServer.ts";
import {
  addFineTuneOptions,
  addInputOptions,
  addOptimizerOptions,
  dataDirOption,
  engineOption,
  jsonOption,
  maxBadOption,
  nonNegative,
  positiveInteger,
  positiveNumber,
  properShare,
  seed,
  share,
  threadsOption,
  validationShareOption,
} from "./options.ts";
import { print, printJson, tell } from "./output.ts";
import { onStopSignals } from "./signals.ts";
import { type EventObserver, tensorboardObserver } from "./tensorboard.ts";
import { showing, trainProgress } from "./trainProgress.ts";

interface TrainFlags extends Omit<TrainOptions, "dataset" | "signal" | "observer" | "command"> {
  readonly live?: boolean;
  readonly livePort: number;
  readonly liveHost: string;
  readonly tensorboard?: string;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet train                                    defaults, on Fashion-MNIST
  alexnet train --epochs 0.25 --run runs/quick     a quarter of an epoch
  alexnet train --recipe d2l --learning-rate 0.02  a recipe, one value changed
  alexnet train photos/ --mixup 0.2 --label-smoothing 0.1 --early-stopping 8
  alexnet train --run runs/quick --resume          go on with a stopped run
  alexnet train photos/                            a folder for each class
  alexnet train photos/ --fit pad --augment flip   whole pictures, reflected
  alexnet train cifar10 --fit native               small pictures as they are
  alexnet train flowers --recipe flowers           Adam, with its own network
  alexnet train --schedule cosine --warmup 1       a rate that rises, then falls
  alexnet train photos/ --from runs/big            go on from its weights
  alexnet train photos/ --from torchvision         fine-tune ImageNet's
  alexnet train photos/ --from runs/big --freeze conv  train the head only
  alexnet train --live                             watch it in the browser

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
      `${datasetNames.join(", ")}, or a folder with a folder for each class (default: fashion-mnist)`,
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
    .addOption(new Option("--schedule <name>", "how the learning rate changes over the run").choices(scheduleNames))
    .option("--warmup <n>", "epochs in which the learning rate rises from 0", nonNegative)
    .option("--label-smoothing <x>", "share of every target spread over all classes, such as 0.1", share)
    .option(
      "--mixup <alpha>",
      "mix images and labels in pairs, by shares of Beta(alpha, alpha), such as 0.2",
      nonNegative,
    )
    .addOption(
      new Option("--class-weights <name>", "balanced: the loss counts all classes alike").choices(["none", "balanced"]),
    )
    .addOption(new Option("--sampler <name>", "balanced: all classes drawn alike often").choices(samplerNames))
    .option("--early-stopping <n>", "end after n epochs without a better test accuracy", positiveInteger)
    .option("--seed <n>", "of every random choice", seed)
    .option("--input-size <n>", "height and width of the network's input, in pixels", positiveInteger)
    .addOption(validationShareOption())
    .addOption(maxBadOption())
    .option("--train-limit <n>", "train on the first n images only; of a folder, some of each class", positiveInteger)
    .option("--test-limit <n>", "evaluate on so many test images only", positiveInteger)
    .option("--max-minutes <n>", "evaluate and stop after so many minutes", positiveNumber)
    .addOption(
      new Option("--on-divergence <name>", "when the loss is not finite; rollback goes back with a lower rate").choices(
        divergenceActions,
      ),
    )
    .option("--rollback-factor <x>", "on the learning rate at each rollback (default: 0.1)", properShare)
    .option("--max-rollbacks <n>", "rollbacks in a run before it stops (default: 3)", positiveInteger)
    .addOption(engineOption())
    .addOption(new Option("--precision <name>", "number format of the compute (default: auto)").choices(precisionNames))
    .option("--exact", "direct convolution only, slower: without Winograd's rounding")
    .addOption(threadsOption())
    .addOption(dataDirOption())
    .option(
      "--run <dir>",
      "the run's directory (default: a new one, runs/<network>-<n>; runs/native-<n> where the network follows from the images)",
    )
    .option("--resume", "go on with the run in --run")
    .option("--live", "serve a page on this machine that shows the run while it goes on")
    .addOption(livePort("--live-port"))
    .addOption(liveHost("--live-host"))
    .option("--tensorboard <dir>", "write events for TensorBoard into a folder of the run's name there")
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action((dataset: string | undefined, flags: TrainFlags, command: Command) =>
      trainCommand(dataset, flags, command, argv),
    );
  addFineTuneOptions(train);
  addOptimizerOptions(train);
  addInputOptions(train);
}

async function trainCommand(
  dataset: string | undefined,
  { json, live, livePort: port, liveHost: host, tensorboard, ...flags }: TrainFlags,
  command: Command,
  argv: readonly string[],
): Promise<void> {
  if (flags.resume && flags.run === undefined) command.error("error: --resume needs --run DIR, the run to go on with");
  const lines = trainProgress();
  const events = tensorboard === undefined ? undefined : await tensorboardObserver(tensorboard);
  const page = live ? await showLive(dataset, flags, { host, port }) : undefined;
  const stop = onStopSignals(() => tell("\nStopping. Once more to stop at once."));
  try {
    const { trainClassifier } = await import("../trainer/trainClassifier.ts");
    const result = await trainClassifier({
      ...flags,
      ...(dataset === undefined ? {} : { dataset }),
      ...(page ? { run: page.run } : {}),
      signal: stop.signal,
      observer: events ? observedTwice(showing(lines), events) : showing(lines),
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
    // Before training has begun: what is downloaded and packed stays.
    lines.clear();
    tell("Stopped before training. The same command goes on with what is downloaded and packed.");
    process.exitCode = stop.exitCode();
  } finally {
    lines.clear();
    await page?.end();
    stop.end();
  }
}

/** What is shown, and also written as events. */
function observedTwice(shown: TrainObserver, events: EventObserver): TrainObserver {
  return {
    ...shown,
    ...events,
    onStart(run) {
      shown.onStart?.(run);
      events.onStart(run);
    },
  };
}

/** Serves a run's page from another process. The run's directory, which that must know, is chosen here. */
async function showLive(dataset: string | undefined, flags: TrainOptions, address: LiveAddress) {
  const { newRunDirectory } = await import("../trainer/runSetup.ts");
  const run = flags.run ?? (await newRunDirectory({ ...flags, ...(dataset === undefined ? {} : { dataset }) }));
  const { url, end } = await startLive(run, address);
  tell(`live at ${url}`);
  return { run, end };
}

/** As a shell takes it. */
function quoted(argument: string): string {
  return /^[\w./=:,+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
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
