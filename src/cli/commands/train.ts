/** `alexnet train`. */
import { formatBytes } from "../../bytes.ts";
import type { Communicator } from "../../engine/communicator.ts";
import { PeerError } from "../../errors.ts";
import { formatDuration, formatEpoch, formatPercent, formatRate } from "../../report/numbers.ts";
import type { ListenAddress } from "../../server/address.ts";
import type { RunLocation, RunPlan } from "../../settings/resolve.ts";
import type { RunSettings } from "../../settings/settings.ts";
import type { TrainCall, TrainResult } from "../../trainer/trainClassifier.ts";
import type { TrainObserver } from "../../trainer/trainObserver.ts";
import { inSection, jsonOption, liveAddressOptions, positiveInteger, positiveNumber } from "../options.ts";
import { outliveOutput, print, printError, printJson } from "../output.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec, Invocation, OptionSpec } from "../spec.ts";
import type { EventObserver } from "../tensorboard.ts";
import { datasetArgument, settingOptions, trainSection } from "../trainingOptions.ts";

const processOptions: readonly OptionSpec[] = inSection(trainSection("Compute"), [
  {
    flags: "--processes <n>",
    help: "train in n processes of this machine, each with a part of every batch and of the cores; requires Open MPI (docs/distributed.md)",
    parse: positiveInteger,
  },
  {
    flags: "--max-restarts <n>",
    help: "with --processes: number of times to resume after a process was killed, crashed or stopped (default: 0)",
    parse: positiveInteger,
  },
]);

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
    ...processOptions,
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
    ["alexnet train --processes 2", "half of the cores each"],
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
  readonly processes?: number;
  readonly maxRestarts?: number;
}

/** Flags of a process that trains. */
type JoinedFlags = Omit<TrainFlags, "processes" | "maxRestarts">;

async function trainNetwork(
  dataset: string | undefined,
  { processes, maxRestarts = 0, ...flags }: TrainFlags,
  invocation: Invocation,
): Promise<void> {
  if (flags.resume && flags.run === undefined) {
    invocation.fail("--resume requires --run DIR, the run to resume");
  }
  const { isInJob, joinJob } = await import("../../communication/join.ts");
  const given = { ...planFlags(flags), ...(dataset === undefined ? {} : { dataset }) };
  if (await isCrossValidation(given)) {
    const unsupported = {
      "--live": flags.live,
      "--tensorboard": flags.tensorboard,
      "--processes": isInJob(process.env) || (processes ?? 1) > 1,
    };
    for (const [flag, value] of Object.entries(unsupported)) {
      if (value) invocation.fail(`${flag} is for one run; add --fold N to train one fold`);
    }
    const { runFolds } = await import("../trainFolds.ts");
    const { json, maxMinutes } = flags;
    return runFolds(given, { json, maxMinutes, command: commandLine(invocation) });
  }
  const { inProcess, requireLaunched } = await import("../processes.ts");
  if (isInJob(process.env)) requireLaunched(processes);
  else if (processes !== undefined && processes > 1) {
    return launchProcesses(dataset, flags, { processes, maxRestarts }, invocation);
  }
  const communicator = await joinJob(process.env);
  try {
    await trainJoined(dataset, flags, invocation, communicator);
    // Without this farewell, the launcher would end the other processes.
    await communicator.close();
  } catch (error) {
    communicator.abandon();
    if (!(error instanceof PeerError)) throw inProcess(communicator, error);
    process.exitCode = error.exitCode;
  }
}

/** Starts the processes, after the checks that one process can make. */
async function launchProcesses(
  dataset: string | undefined,
  flags: JoinedFlags,
  { processes, maxRestarts }: { readonly processes: number; readonly maxRestarts: number },
  { argv }: Invocation,
): Promise<void> {
  const { refuseProcesses } = await import("../../trainer/refuseProcesses.ts");
  const { launch } = await import("../launch.ts");
  const { recipe, engine, directory } = await planOf(
    { ...planFlags(flags), ...(dataset === undefined ? {} : { dataset }) },
    () => {},
  );
  refuseProcesses(processes, { recipe, engine });
  const resuming = [
    ...argv,
    ...(flags.run === undefined ? ["--run", directory] : []),
    ...(flags.resume ? [] : ["--resume"]),
  ];
  process.exitCode = await launch(argv, { processes, threads: flags.threads, maxRestarts, resuming });
}

/** The flags that settings follow from. */
function planFlags({
  json: _json,
  live: _live,
  livePort: _port,
  liveHost: _host,
  tensorboard: _tensorboard,
  maxMinutes: _minutes,
  ...flags
}: JoinedFlags) {
  return flags;
}

async function trainJoined(
  dataset: string | undefined,
  flags: JoinedFlags,
  invocation: Invocation,
  communicator: Communicator,
): Promise<void> {
  const { json, live, livePort: port, liveHost: host, tensorboard, maxMinutes } = flags;
  const { showing, trainProgress } = await import("../trainProgress.ts");
  const { trainRun } = await import("../../trainer/trainClassifier.ts");
  const { planTogether, STOPPED_BY_PEER } = await import("../processes.ts");
  const isFirst = communicator.rank === 0;
  const tell = isFirst ? printError : () => {};
  const plan = await planTogether(communicator, () =>
    planOf({ ...planFlags(flags), ...(dataset === undefined ? {} : { dataset }) }, tell),
  );
  const lines = trainProgress();
  const events = tensorboard === undefined || !isFirst ? undefined : await eventsIn(tensorboard);
  const page = live && isFirst ? await showLive(plan.directory, { host, port }) : undefined;
  const stop = onStopSignals(() => {
    lines.clear();
    if (communicator.size === 1) printError("\nStopping. Press Ctrl-C again to stop at once.");
  }, communicator.size > 1);
  outliveOutput();
  try {
    const call: TrainCall = {
      ...(maxMinutes === undefined ? {} : { maxMinutes }),
      signal: stop.signal,
      observer: events ? observedTwice(showing(lines), events) : showing(lines),
      command: commandLine(invocation),
    };
    const result = await trainRun(plan, call, communicator);
    lines.clear();
    if (isFirst && json) printJson(result);
    else if (isFirst && result.end !== "interrupt") await printResult(result);
    const { bytes, waitedSeconds } = communicator.traffic();
    if (communicator.size > 1) {
      tell(
        `Exchanged ${formatBytes(bytes)} with the other processes, and waited ${formatDuration(waitedSeconds)} for them`,
      );
    }
    if (result.end === "interrupt") {
      tell(`Saved. Resume with: alexnet train --run ${result.run} --resume`);
      // Another process may have received the signal.
      process.exitCode = stop.exitCode() || STOPPED_BY_PEER;
    }
  } catch (error) {
    const isOwn = error === stop.signal.reason || error instanceof PeerError;
    if (!stop.signal.aborted || !isOwn) throw error;
    // Before training: only downloads and packed images are kept.
    lines.clear();
    tell("Stopped before training. The same command reuses what is downloaded and packed.");
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
async function planOf(
  { config, run, resume, ...flags }: RunSettings & RunLocation & Pick<TrainFlags, "config">,
  tell: (message: string) => void,
): Promise<RunPlan> {
  const { resolve } = await import("../../settings/resolve.ts");
  const { readSettingsFile } = await import("../../settings/settingsFile.ts");
  const none = { settings: flags, repeats: undefined, messages: [] };
  const { settings, repeats, messages } = config === undefined ? none : await readSettingsFile(config, flags);
  for (const message of messages) tell(message);
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
