/** `alexnet train`. */
import type { Communicator } from "../../engine/communicator.ts";
import { type Scheme, schemes } from "../../network/schemes.ts";
import type { RunLocation, RunPlan } from "../../settings/resolve.ts";
import type { RunSettings } from "../../settings/settings.ts";
import type { TrainCall } from "../../trainer/trainClassifier.ts";
import { commandLine } from "../commandLine.ts";
import { type Host, parseHosts, processesOn } from "../hosts.ts";
import type { LaunchOptions } from "../launch.ts";
import { inSection, jsonOption, liveAddressOptions, positiveInteger, positiveNumber } from "../options.ts";
import type { CommandSpec, Invocation, OptionSpec } from "../spec.ts";
import { datasetArgument, settingOptions, trainSection } from "../trainingOptions.ts";

const processOptions: readonly OptionSpec[] = inSection(trainSection("Compute"), [
  {
    flags: "--processes <n>",
    help: "train in n processes of this machine, each with a part of the work and of the cores; requires Open MPI (docs/distributed.md)",
    parse: positiveInteger,
  },
  {
    flags: "--hosts <list>",
    help: "train on several hosts, such as a:1,b:1: names with numbers of processes; each needs the same files at the same paths",
    parse: parseHosts,
  },
  {
    flags: "--parallel <scheme>",
    help: "division of work among processes: data, of the batch; towers, of kernels and units; hybrid, data for convolutions and towers for linear layers (default: data, or that of the run to resume)",
    choices: schemes,
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
    ["alexnet train --processes 2 --parallel hybrid", "linear layers by units"],
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

/** Settings of a run as flags give them. */
type GivenSettings = RunSettings & RunLocation & { readonly config?: string };

interface TrainFlags extends Omit<GivenSettings, "dataset">, Pick<TrainCall, "maxMinutes"> {
  readonly live?: boolean;
  readonly livePort: number;
  readonly liveHost: string;
  readonly tensorboard?: string;
  readonly json?: boolean;
  readonly processes?: number;
  readonly hosts?: readonly Host[];
  readonly parallel?: Scheme;
  readonly maxRestarts?: number;
}

async function trainNetwork(
  dataset: string | undefined,
  {
    processes: asked,
    hosts,
    parallel,
    maxRestarts = 0,
    json = false,
    live = false,
    livePort: port,
    liveHost: host,
    tensorboard,
    maxMinutes,
    ...settings
  }: TrainFlags,
  invocation: Invocation,
): Promise<void> {
  const given: GivenSettings = { ...settings, ...(dataset === undefined ? {} : { dataset }) };
  if (given.resume && given.run === undefined) {
    invocation.fail("--resume requires --run DIR, the run to resume");
  }
  const processes = asked ?? (hosts && processesOn(hosts));
  if (hosts && processes !== processesOn(hosts)) {
    invocation.fail(
      `--processes ${processes}: expected ${processesOn(hosts)}, the processes of --hosts; remove --processes`,
    );
  }
  const isJob = processes !== undefined && processes > 1;
  if (hosts && !isJob) invocation.fail("--hosts: expected at least 2 processes, got 1; add a host, such as a:1,b:1");
  if (maxRestarts > 0 && !isJob) invocation.fail("--max-restarts requires --processes of at least 2");
  const { isInJob } = await import("../../communication/join.ts");
  if (parallel !== undefined && !isJob && !isInJob(process.env)) {
    invocation.fail("--parallel requires --processes of at least 2");
  }
  const command = commandLine(invocation);
  if (await isCrossValidation(given)) {
    const unsupported = {
      "--live": live,
      "--tensorboard": tensorboard,
      "--hosts": hosts,
      "--processes": isInJob(process.env) || isJob,
    };
    for (const [flag, value] of Object.entries(unsupported)) {
      if (value) invocation.fail(`${flag} is for one run; add --fold N to train one fold`);
    }
    const { runFolds } = await import("../trainFolds.ts");
    return runFolds(given, { json, maxMinutes, command });
  }
  const { requireLaunched, runInJob } = await import("../processes.ts");
  if (isInJob(process.env)) requireLaunched(processes);
  else if (isJob) return launchProcesses(given, { processes, hosts, parallel, maxRestarts }, invocation);
  const { trainOneRun } = await import("../trainOneRun.ts");
  const options = { json, live: live ? { host, port } : undefined, tensorboard, maxMinutes, command };
  const job = (communicator: Communicator) => ({ communicator, ...(parallel ? { scheme: parallel } : {}) });
  await runInJob((communicator) => trainOneRun((tell) => planOf(given, tell), options, job(communicator)));
}

/** Starts the processes, after the checks that one process can make. */
async function launchProcesses(
  given: GivenSettings,
  {
    parallel,
    ...job
  }: Pick<LaunchOptions, "processes" | "hosts" | "maxRestarts"> & { readonly parallel: Scheme | undefined },
  { argv }: Invocation,
): Promise<void> {
  const { refusePlan } = await import("../../trainer/refuseProcesses.ts");
  const { launch } = await import("../launch.ts");
  const plan = await planOf(given, () => {});
  refusePlan(job.processes, plan, parallel);
  const resuming = [
    ...argv,
    ...(given.run === undefined ? ["--run", plan.directory] : []),
    ...(given.resume ? [] : ["--resume"]),
  ];
  process.exitCode = await launch(argv, { ...job, threads: given.threads, resuming });
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
  { config, run, resume, ...flags }: GivenSettings,
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
