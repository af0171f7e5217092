/** `alexnet sweep`. */
import { basename, join } from "node:path";
import { fileNameOf } from "../../fileName.ts";
import type { SweepResult } from "../../tuning/sweep.ts";
import { jsonOption, positiveNumber } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import type { CommandSpec } from "../spec.ts";

export const sweep: CommandSpec = {
  arguments: [{ name: "<file>", help: "JSON file with the settings to try (see below)" }],
  options: [
    { flags: "--run <dir>", help: "directory of the sweep (default: runs/<name of the file>)" },
    {
      flags: "--max-minutes <n>",
      help: "stop after n minutes; the same command resumes the sweep",
      parse: positiveNumber,
    },
    jsonOption,
  ],
  examples: [
    ["alexnet sweep rates.json", "creates or resumes runs/rates"],
    ["alexnet sweep rates.json --max-minutes 60", "an hour now, the rest later"],
    ["alexnet sweep rates.json --json", "the table for a program"],
  ],
  notes: `
rates.json, every combination:
  { "base": { "dataset": "cifar10", "fit": "native", "epochs": 3 },
    "grid": { "learningRate": [0.003, 0.01, 0.03],
              "optimizer.momentum": [0.8, 0.9] } }

or n random draws, from lists or within bounds:
  { "base": { "dataset": "photos", "recipe": "photos", "epochs": 5 },
    "random": { "trials": 12, "seed": 1, "space": {
      "learningRate": { "min": 1e-4, "max": 0.1, "scale": "log" },
      "batchSize": { "min": 16, "max": 64, "integer": true },
      "network": ["alexnet-half", "alexnet-owt"] } } }

or a list of trials, each with its values:
  { "base": { "dataset": "cifar10", "fit": "native", "epochs": 3 },
    "trials": [{ "learningRate": 0.01 },
               { "learningRate": 0.001, "optimizer": "adam" }] }

A key is a setting of train (inputSize, network, …) or a path in a recipe
(learningRate, optimizer.weightDecay, augmentation.flip, schedule, …).
The directory contains sweep.json, results.json, sweep.png and a run directory
for each trial. Ctrl-C saves and stops; the same command resumes the sweep.`,
  run: sweepFile,
};

interface SweepFlags {
  readonly run?: string;
  readonly maxMinutes?: number;
  readonly json?: boolean;
}

async function sweepFile(file: string, { run, maxMinutes, json }: SweepFlags): Promise<void> {
  const { readSweepPlan } = await import("../../tuning/sweepPlan.ts");
  const { runSweep } = await import("../../tuning/sweep.ts");
  const { formatPercent } = await import("../../report/numbers.ts");
  const { describeValues, formatSweep } = await import("../../report/tables/sweepTable.ts");
  const { showTraining } = await import("../showTraining.ts");
  const plan = await readSweepPlan(file);
  await showTraining(async ({ observer, signal, say, clear }) => {
    const result = await runSweep({
      plan,
      directory: run ?? join("runs", fileNameOf(basename(file, ".json"), "sweep")),
      ...(maxMinutes === undefined ? {} : { maxMinutes }),
      signal,
      observer,
      onTrial: ({ number, values }, of) => say(`trial ${number} of ${of}: ${describeValues(values)}`),
      onResult({ number, status, bestAccuracy }, of) {
        const accuracy = bestAccuracy === undefined ? "" : `, best test accuracy ${formatPercent(bestAccuracy)}`;
        say(`trial ${number} of ${of}: ${status}${accuracy}`);
      },
    });
    clear();
    if (json) printJson(result);
    else printResult(result, formatSweep(result.results));
    if (result.results.some(({ status }) => status === "failed")) process.exitCode = 1;
    return result;
  });
}

function printResult({ directory, end, trials, results, figure }: SweepResult, table: string): void {
  if (results.length > 0) print(table);
  if (figure !== undefined) print(`figure ${figure}`);
  if (end === "finished") return;
  const why = end === "time" ? " at the time limit" : "";
  printError(
    `Stopped${why} after ${results.length} of ${trials} trials in ${directory}. The same command resumes the sweep.`,
  );
}
