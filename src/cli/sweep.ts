/** `alexnet sweep`. */
import { basename, join } from "node:path";
import type { Command } from "commander";
import { formatPercent } from "../report/numbers.ts";
import { describeValues, formatSweep } from "../report/tables/sweepTable.ts";
import type { SweepResult } from "../tuning/sweep.ts";
import { jsonOption, positiveNumber } from "./options.ts";
import { print, printJson, tell } from "./output.ts";
import { onStopSignals } from "./signals.ts";
import { showing, trainProgress } from "./trainProgress.ts";

interface SweepFlags {
  readonly run?: string;
  readonly maxMinutes?: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet sweep rates.json                    in runs/rates; once more: goes on
  alexnet sweep rates.json --max-minutes 60   an hour, then later the rest
  alexnet sweep rates.json --json             the table for a program

rates.json, every combination:
  { "base": { "dataset": "cifar10", "fit": "native", "epochs": 3 },
    "grid": { "learningRate": [0.003, 0.01, 0.03],
              "optimizer.momentum": [0.8, 0.9] } }

or so many draws, from lists or between limits:
  { "base": { "dataset": "photos", "recipe": "photos", "epochs": 5 },
    "random": { "trials": 12, "seed": 1, "space": {
      "learningRate": { "min": 1e-4, "max": 0.1, "scale": "log" },
      "batchSize": { "min": 16, "max": 64, "integer": true },
      "network": ["alexnet-half", "alexnet-owt"] } } }

A key is a setting of train (inputSize, network, …) or a place in a recipe
(learningRate, optimizer.weightDecay, augmentation.flip, schedule, …).
The directory holds sweep.json, results.json, sweep.png and a run directory
for each trial. Ctrl-C saves and stops; the same command goes on.
`;

/** Adds `alexnet sweep`. */
export function addSweep(program: Command): void {
  program
    .command("sweep")
    .description("train with many settings, and compare")
    .argument("<file>", "what is tried, a JSON file: see below")
    .option("--run <dir>", "the sweep's directory (default: runs/<name of the file>)")
    .option("--max-minutes <n>", "stop after so many minutes; the same command goes on", positiveNumber)
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(sweepCommand);
}

async function sweepCommand(file: string, { run, maxMinutes, json }: SweepFlags): Promise<void> {
  const { readSweepPlan } = await import("../tuning/sweepPlan.ts");
  const { runSweep } = await import("../tuning/sweep.ts");
  const plan = await readSweepPlan(file);
  const lines = trainProgress();
  const stop = onStopSignals(() => tell("\nStopping. Once more to stop at once."));
  try {
    const result = await runSweep({
      plan,
      directory: run ?? join("runs", basename(file, ".json")),
      ...(maxMinutes === undefined ? {} : { maxMinutes }),
      signal: stop.signal,
      observer: showing(lines),
      onTrial({ number, values }, of) {
        lines.clear();
        tell(`trial ${number} of ${of}: ${describeValues(values)}`);
      },
      onResult({ number, status, bestAccuracy }, of) {
        lines.clear();
        const accuracy = bestAccuracy === undefined ? "" : `, best test acc ${formatPercent(bestAccuracy)}`;
        tell(`trial ${number} of ${of}: ${status}${accuracy}`);
      },
    });
    lines.clear();
    if (json) printJson(result);
    else printResult(result);
    const { end, results } = result;
    if (end === "interrupt") process.exitCode = stop.exitCode();
    else if (results.some(({ status }) => status === "failed")) process.exitCode = 1;
  } finally {
    lines.clear();
    stop.end();
  }
}

function printResult({ directory, end, trials, results, figure }: SweepResult): void {
  if (results.length > 0) print(formatSweep(results));
  if (figure !== undefined) print(`figure ${figure}`);
  if (end === "finished") return;
  const why = end === "time" ? " for time" : "";
  tell(`Stopped${why} with ${results.length} of ${trials} trials done in ${directory}. The same command goes on.`);
}
