/** `alexnet train`. */
import { formatDuration, formatLoss } from "../../report/numbers.ts";
import { divergenceActions } from "../../settings/divergencePolicy.ts";
import type { TrainOptions, TrainResult } from "../../trainer/trainClassifier.ts";
import type { TrainObserver } from "../../trainer/trainObserver.ts";
import { samplerNames } from "../../training/sampler.ts";
import { scheduleNames } from "../../training/schedule.ts";
import type { LiveAddress } from "../liveServer.ts";
import {
  fraction,
  inSection,
  jsonOption,
  liveAddressOptions,
  nonNegative,
  positiveInteger,
  positiveNumber,
  properFraction,
} from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec, Invocation, OptionSpec } from "../spec.ts";
import type { EventObserver } from "../tensorboard.ts";
import {
  batchSizeOption,
  computeOptions,
  dataOptions,
  datasetArgument,
  fineTuningOptions,
  inputOptions,
  inputSizeOption,
  networkOption,
  optimizerOptions,
  recipeOption,
  seedOption,
  testLimitOptions,
  trainLimitOptions,
} from "../trainingOptions.ts";

const scheduleOptions: readonly OptionSpec[] = inSection({ heading: "Schedule", command: "train" }, [
  { flags: "--schedule <name>", help: "learning rate schedule", choices: scheduleNames },
  { flags: "--warmup <n>", help: "epochs of linear warm-up of the learning rate from 0", parse: nonNegative },
  { flags: "--early-stopping <n>", help: "stop after n epochs without a better test accuracy", parse: positiveInteger },
  { flags: "--max-minutes <n>", help: "evaluate and stop after n minutes", parse: positiveNumber },
]);

const lossOptions: readonly OptionSpec[] = inSection({ heading: "Loss and sampling", command: "train" }, [
  {
    flags: "--label-smoothing <x>",
    help: "fraction of every target to spread over all classes, such as 0.1",
    parse: fraction,
  },
  {
    flags: "--mixup <alpha>",
    help: "mix pairs of images and labels with weights from Beta(alpha, alpha), such as 0.2",
    parse: nonNegative,
  },
  {
    flags: "--class-weights <name>",
    help: "balanced: weight the loss inversely to class frequency",
    choices: ["none", "balanced"],
  },
  { flags: "--sampler <name>", help: "balanced: draw all classes equally often", choices: samplerNames },
]);

const divergenceOptions: readonly OptionSpec[] = inSection({ heading: "Divergence", command: "train" }, [
  {
    flags: "--on-divergence <name>",
    help: "what to do if the loss becomes NaN or infinite: stop, or roll back to the last checkpoint with a lower learning rate",
    choices: divergenceActions,
  },
  {
    flags: "--rollback-factor <x>",
    help: "learning rate factor at each rollback (default: 0.1)",
    parse: properFraction,
  },
  { flags: "--max-rollbacks <n>", help: "maximum number of rollbacks in a run (default: 3)", parse: positiveInteger },
]);

const monitoringOptions: readonly OptionSpec[] = inSection({ heading: "Monitoring", command: "train" }, [
  { flags: "--live", help: "serve a page on this machine that shows the run while it trains" },
  ...liveAddressOptions("--live-port", "--live-host"),
  { flags: "--tensorboard <dir>", help: "write TensorBoard events to a folder of the run's name in this directory" },
]);

export const train: CommandSpec = {
  arguments: [datasetArgument],
  options: [
    networkOption,
    recipeOption,
    { flags: "--epochs <n>", help: "passes over the training images; may be fractional", parse: positiveNumber },
    batchSizeOption,
    { flags: "--learning-rate <x>", help: "learning rate of the optimizer", parse: positiveNumber },
    inputSizeOption,
    seedOption,
    {
      flags: "--run <dir>",
      help: "run directory (default: a new one, runs/<network>-<n>, or runs/native-<n> with --fit native)",
    },
    { flags: "--resume", help: "resume the run in --run" },
    jsonOption,
    ...dataOptions,
    ...trainLimitOptions,
    ...testLimitOptions,
    ...inputOptions,
    ...scheduleOptions,
    ...lossOptions,
    ...optimizerOptions,
    ...fineTuningOptions,
    ...divergenceOptions,
    ...computeOptions,
    ...monitoringOptions,
  ],
  examples: [
    ["alexnet train", "defaults, on Fashion-MNIST"],
    ["alexnet train --epochs 0.25 --run runs/quick", "a quarter of an epoch"],
    ["alexnet train --recipe d2l --learning-rate 0.02", "a recipe, one value changed"],
    ["alexnet train photos/ --mixup 0.2 --label-smoothing 0.1 --early-stopping 8"],
    ["alexnet train --run runs/quick --resume", "resume a stopped run"],
    ["alexnet train photos/", "a folder per class"],
    ["alexnet train photos/ --fit pad --augment flip", "whole images, reflected"],
    ["alexnet train cifar10 --fit native", "small images at their own size"],
    ["alexnet train flowers --recipe flowers", "Adam, with its own network"],
    ["alexnet train --schedule cosine --warmup 1", "cosine decay after warm-up"],
    ["alexnet train photos/ --from runs/big", "fine-tune its weights"],
    ["alexnet train photos/ --from torchvision", "fine-tune ImageNet's"],
    ["alexnet train photos/ --from runs/big --freeze conv", "train the head only"],
    ["alexnet train --live", "watch it in the browser"],
  ],
  notes: `
A run directory contains config.json, log.jsonl, curves.svg, curves.png,
report.html and checkpoints (*.safetensors).
Ctrl-C saves and stops; a second one stops at once.`,
  run: trainNetwork,
};

interface TrainFlags extends Omit<TrainOptions, "dataset" | "signal" | "observer" | "command"> {
  readonly live?: boolean;
  readonly livePort: number;
  readonly liveHost: string;
  readonly tensorboard?: string;
  readonly json?: boolean;
}

async function trainNetwork(
  dataset: string | undefined,
  { json, live, livePort: port, liveHost: host, tensorboard, ...flags }: TrainFlags,
  invocation: Invocation,
): Promise<void> {
  if (flags.resume && flags.run === undefined) {
    invocation.fail("--resume needs --run DIR, the run to resume");
  }
  const { showing, trainProgress } = await import("../trainProgress.ts");
  const lines = trainProgress();
  const events = tensorboard === undefined ? undefined : await eventsIn(tensorboard);
  const page = live ? await showLive(dataset, flags, { host, port }) : undefined;
  const stop = onStopSignals(() => printError("\nStopping. Press Ctrl-C again to stop at once."));
  try {
    const { trainClassifier } = await import("../../trainer/trainClassifier.ts");
    const result = await trainClassifier({
      ...flags,
      ...(dataset === undefined ? {} : { dataset }),
      ...(page ? { run: page.run } : {}),
      signal: stop.signal,
      observer: events ? observedTwice(showing(lines), events) : showing(lines),
      command: ["alexnet", ...invocation.argv].map(quoted).join(" "),
    });
    lines.clear();
    if (json) printJson(result);
    else if (result.end !== "interrupt") printResult(result);
    if (result.end === "interrupt") {
      printError(`Saved. Resume with: alexnet train --run ${result.run} --resume`);
      process.exitCode = stop.exitCode();
    }
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    // Before training has begun: downloads and packed images stay.
    lines.clear();
    printError("Stopped before training. The same command reuses what is downloaded and packed.");
    process.exitCode = stop.exitCode();
  } finally {
    lines.clear();
    await page?.end();
    stop.end();
  }
}

async function eventsIn(folder: string): Promise<EventObserver> {
  const { tensorboardObserver } = await import("../tensorboard.ts");
  return tensorboardObserver(folder);
}

/** Shows the run and writes it as events. */
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

/** Serves a run's page from another process, which needs the run directory: it is chosen here. */
async function showLive(dataset: string | undefined, flags: TrainOptions, address: LiveAddress) {
  const { newRunDirectory } = await import("../../trainer/runSetup.ts");
  const run = flags.run ?? (await newRunDirectory({ ...flags, ...(dataset === undefined ? {} : { dataset }) }));
  const { startLive } = await import("../liveChild.ts");
  const { url, end } = await startLive(run, address);
  printError(`live at ${url}`);
  return { run, end };
}

/** The argument, quoted for a shell if necessary. */
function quoted(argument: string): string {
  return /^[\w./=:,+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** The closing lines of Dive into Deep Learning's training function. */
function printResult({ run, end, last, device }: TrainResult): void {
  if (end === "already finished") printError(`${run}: already finished; nothing to do`);
  if (last) {
    const { trainLoss, trainAccuracy, testAccuracy = 0, iteration, seconds } = last;
    print(`loss ${formatLoss(trainLoss)}, train acc ${trainAccuracy.toFixed(3)}, test acc ${testAccuracy.toFixed(3)}`);
    print(`${last.examplesPerSecond.toFixed(1)} examples/sec on ${device}`);
    printError(`${iteration} iterations in ${formatDuration(seconds)}`);
  }
  if (end === "time") printError(`Stopped at the time limit. Resume with: alexnet train --run ${run} --resume`);
  print(`report ${run}/report.html`);
}
