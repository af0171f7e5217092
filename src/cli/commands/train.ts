/** `alexnet train`. */
import { formatDuration, formatEpoch, formatPercent, formatRate } from "../../report/numbers.ts";
import type { ListenAddress } from "../../server/address.ts";
import type { RunLocation, RunPlan } from "../../settings/resolve.ts";
import type { RunSettings } from "../../settings/settings.ts";
import type { TrainCall, TrainResult } from "../../trainer/trainClassifier.ts";
import type { TrainObserver } from "../../trainer/trainObserver.ts";
import { inSection, jsonOption, liveAddressOptions, positiveNumber } from "../options.ts";
import { outliveOutput, print, printError, printJson } from "../output.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec, Invocation, OptionSpec } from "../spec.ts";
import type { EventObserver } from "../tensorboard.ts";
import { datasetArgument, settingOptions, trainSection } from "../trainingOptions.ts";

const monitoringOptions: readonly OptionSpec[] = inSection(trainSection("Monitoring"), [
  { flags: "--live", help: "serve a page on this machine that shows the run while it trains" },
  ...liveAddressOptions("--live-port", "--live-host"),
  { flags: "--tensorboard <dir>", help: "write TensorBoard events to this directory, in a folder named after the run" },
]);

export const train: CommandSpec = {
  arguments: [datasetArgument],
  options: [
    ...settingOptions("train"),
    {
      flags: "--config <file>",
      help: "JSON file of settings, named as in the base of a sweep; or a run's config.json, to repeat the run. Flags override it",
    },
    {
      flags: "--run <dir>",
      help: "run directory (default: a new one, runs/<network>-<n>, or runs/native-<n> with --fit native)",
    },
    { flags: "--resume", help: "resume the run in --run" },
    {
      flags: "--max-minutes <n>",
      help: "evaluate, save and stop after n minutes",
      parse: positiveNumber,
      section: trainSection("Schedule"),
    },
    ...monitoringOptions,
    jsonOption,
  ],
  examples: [
    ["alexnet train", "defaults, on Fashion-MNIST"],
    ["alexnet train --epochs 0.25 --run runs/quick", "a quarter of an epoch"],
    ["alexnet train --recipe d2l --learning-rate 0.02", "one value changed"],
    ["alexnet train photos/ --mixup 0.2 --label-smoothing 0.1 --early-stopping 8"],
    ["alexnet train --run runs/quick --resume", "resume a stopped run"],
    ["alexnet train photos/", "a folder per class"],
    ["alexnet train photos/ --fit pad --augment flip", "whole images, randomly flipped"],
    ["alexnet train cifar10 --fit native", "small images at their own size"],
    ["alexnet train flowers --recipe flowers", "Adam and the recipe's own network"],
    ["alexnet train --schedule cosine --warmup 1", "cosine decay after warm-up"],
    ["alexnet train photos/ --from runs/big", "fine-tune from its weights"],
    ["alexnet train photos/ --from torchvision", "fine-tune ImageNet weights"],
    ["alexnet train photos/ --from runs/big --freeze conv", "train the head only"],
    ["alexnet train --config runs/big/config.json", "the same run again"],
    ["alexnet train photos/ --folds 5", "cross-validation"],
    ["alexnet train --live", "watch it in the browser"],
  ],
  notes: `
With --folds, the run directory contains one for each fold, fold-1, fold-2, …,
and a report with mean and deviation; evaluate and predict average its folds.
A run directory contains config.json, log.jsonl, curves.svg, curves.png,
report.html and checkpoints (*.safetensors). Options shown without a default use
the recipe's value, or are off.
Ctrl-C saves and stops; press it again to stop immediately.`,
  run: trainNetwork,
};

interface TrainFlags extends Omit<RunSettings, "dataset">, RunLocation, Pick<TrainCall, "maxMinutes"> {
  readonly config?: string;
  readonly live?: boolean;
  readonly livePort: number;
  readonly liveHost: string;
  readonly tensorboard?: string;
  readonly json?: boolean;
}

async function trainNetwork(
  dataset: string | undefined,
  { json, live, livePort: port, liveHost: host, tensorboard, maxMinutes, ...flags }: TrainFlags,
  invocation: Invocation,
): Promise<void> {
  if (flags.resume && flags.run === undefined) {
    invocation.fail("--resume requires --run DIR, the run to resume");
  }
  const { showing, trainProgress } = await import("../trainProgress.ts");
  const { trainRun } = await import("../../trainer/trainClassifier.ts");
  const given = { ...flags, ...(dataset === undefined ? {} : { dataset }) };
  if (await isCrossValidation(given)) {
    const unsupported = { "--live": live, "--tensorboard": tensorboard };
    for (const [flag, value] of Object.entries(unsupported)) {
      if (value) invocation.fail(`${flag} shows one run; add --fold N to train one fold`);
    }
    const { runFolds } = await import("../trainFolds.ts");
    return runFolds(given, { json, maxMinutes, command: commandLine(invocation) });
  }
  const plan = await planOf(given);
  const lines = trainProgress();
  const events = tensorboard === undefined ? undefined : await eventsIn(tensorboard);
  const page = live ? await showLive(plan.directory, { host, port }) : undefined;
  const stop = onStopSignals(() => {
    lines.clear();
    printError("\nStopping. Press Ctrl-C again to stop at once.");
  });
  outliveOutput();
  try {
    const result = await trainRun(plan, {
      ...(maxMinutes === undefined ? {} : { maxMinutes }),
      signal: stop.signal,
      observer: events ? observedTwice(showing(lines), events) : showing(lines),
      command: commandLine(invocation),
    });
    lines.clear();
    if (json) printJson(result);
    else if (result.end !== "interrupt") await printResult(result);
    if (result.end === "interrupt") {
      printError(`Saved. Resume with: alexnet train --run ${result.run} --resume`);
      process.exitCode = stop.exitCode();
    }
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error;
    // Before training: only downloads and packed images are kept.
    lines.clear();
    printError("Stopped before training. The same command reuses what is downloaded and packed.");
    process.exitCode = stop.exitCode();
  } finally {
    lines.clear();
    await page?.end();
    stop.end();
  }
}

function commandLine({ argv }: Invocation): string {
  return ["alexnet", ...argv].map(quoted).join(" ");
}

/** True for all folds of a cross-validation: a new one, or one to resume. */
async function isCrossValidation({ folds, fold, run, resume }: RunSettings & RunLocation): Promise<boolean> {
  if (fold !== undefined) return false;
  if (folds !== undefined) return true;
  if (!resume || run === undefined) return false;
  const { foldsIn } = await import("../../model/foldRuns.ts");
  return (await foldsIn(run)) !== undefined;
}

/** Resolves the flags, with the file of --config if given. */
async function planOf({
  config,
  run,
  resume,
  ...flags
}: RunSettings & RunLocation & Pick<TrainFlags, "config">): Promise<RunPlan> {
  const { resolve } = await import("../../settings/resolve.ts");
  const { readSettingsFile } = await import("../../settings/settingsFile.ts");
  const none = { settings: flags, repeats: undefined, messages: [] };
  const { settings, repeats, messages } = config === undefined ? none : await readSettingsFile(config, flags);
  for (const message of messages) printError(message);
  const location = { ...(run === undefined ? {} : { run }), ...(resume === undefined ? {} : { resume }) };
  return resolve({ ...settings, ...location }, { repeats });
}

async function eventsIn(folder: string): Promise<EventObserver> {
  const { tensorboardObserver } = await import("../tensorboard.ts");
  return tensorboardObserver(folder);
}

/** Combines the display of the run with the event files. */
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

/** Serves the run's page from another process. */
async function showLive(run: string, address: ListenAddress) {
  const { startLive } = await import("../liveChild.ts");
  const { url, end } = await startLive(run, address);
  printError(`live at ${url}`);
  return { end };
}

/** The argument, quoted for a shell if necessary. */
function quoted(argument: string): string {
  return /^[\w./=:,+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** Prints the figures of the last epoch, the best ones if they are of another epoch, and what to do next. */
async function printResult({ run, end, last, best, device }: TrainResult): Promise<void> {
  const { epochFigures } = await import("../trainProgress.ts");
  if (end === "already finished")
    printError(`${run}: already finished; for more epochs: alexnet train --run ${run} --resume --epochs N`);
  if (last) {
    const { iteration, seconds } = last;
    print(epochFigures(last));
    print(`${formatRate(last.examplesPerSecond, "images")} on ${device}`);
    if (best?.testAccuracy !== undefined && best.iteration !== last.iteration) {
      const epoch = formatEpoch(best.epoch);
      printError(
        `best test ${best.testMeanAveragePrecision === undefined ? "accuracy" : "exact match"} ${formatPercent(best.testAccuracy)} after epoch ${epoch}: best.safetensors, which the report, evaluate and predict use`,
      );
    }
    printError(`${iteration} iteration${iteration === 1 ? "" : "s"} in ${formatDuration(seconds)}`);
  }
  if (end === "time") printError(`Stopped at the time limit. Resume with: alexnet train --run ${run} --resume`);
  print(`report ${run}/report.html`);
  if (end !== "time") printError(`Next: alexnet evaluate ${run}; alexnet predict ${run} IMAGE`);
}
