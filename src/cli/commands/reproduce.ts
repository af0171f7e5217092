/** `alexnet reproduce`. */
import { join } from "node:path";
import type { Experiment } from "../../experiments/experiment.ts";
import type { Reproduction } from "../../experiments/reproduce.ts";
import { commandLine } from "../commandLine.ts";
import { jsonOption, positiveInteger, positiveNumber } from "../options.ts";
import { print, printError, printJson } from "../output.ts";
import type { CommandSpec, Invocation } from "../spec.ts";
import { settingOption } from "../trainingOptions.ts";

export const reproduce: CommandSpec = {
  arguments: [{ name: "[name]", help: "experiment (default: list them)" }],
  options: [
    {
      flags: "--output <dir>",
      help: "directory of the page, the figures, the results and the runs (default: runs/<name>)",
    },
    { flags: "--seeds <n>", help: "number of seeds (default: 3, with --quick 1)", parse: positiveInteger },
    { flags: "--arm <name...>", help: "configurations to train, by their names on the page (default: all)" },
    { flags: "--quick", help: "a first look with small settings, at most a minute" },
    {
      flags: "--config <file>",
      help: "JSON file of settings for every run, named as in the base of a sweep; they override the experiment's",
    },
    settingOption("dataDir"),
    settingOption("threads"),
    {
      flags: "--max-minutes <n>",
      help: "stop after n minutes; the same command resumes the experiment",
      parse: positiveNumber,
    },
    jsonOption,
  ],
  examples: [
    ["alexnet reproduce", "the experiments, what they need, how long they take"],
    ["alexnet reproduce ablations-227 --quick", "runs/ablations-227-quick/index.html"],
    ["alexnet reproduce relu-tanh --max-minutes 40", "a part now, the rest later"],
    ["alexnet reproduce relu-tanh --seeds 5", "two further seeds"],
    ["alexnet reproduce fit --quick --arm pad crop", "two configurations"],
  ],
  notes: `
Repeats an experiment of the paper or of its study. The directory contains
index.html (claim, measurement, figures), each figure as SVG and PNG,
results.json, and a sweep for each seed. The page is written after each seed.
Ctrl-C saves and stops; the same command resumes the experiment.`,
  run: reproduceNamed,
};

interface ReproduceFlags {
  readonly output?: string;
  readonly seeds?: number;
  readonly arm?: readonly string[];
  readonly quick?: boolean;
  readonly config?: string;
  readonly dataDir?: string;
  readonly threads?: number;
  readonly maxMinutes?: number;
  readonly json?: boolean;
}

async function reproduceNamed(
  name: string | undefined,
  flags: ReproduceFlags,
  invocation: Pick<Invocation, "argv">,
): Promise<void> {
  if (name === undefined) return list(flags.json === true);
  const { reproduce: run } = await import("../../experiments/reproduce.ts");
  const { findExperiment } = await import("../../experiments/experiments.ts");
  const { showTraining } = await import("../showTraining.ts");
  const { quick, seeds, arm: arms, maxMinutes, json } = flags;
  // An unknown name fails before the settings are read.
  findExperiment(name);
  const settings = await settingsOf(flags);
  await showTraining(async ({ observer, signal, say, clear }) => {
    const done = await run(name, {
      output: flags.output ?? join("runs", quick ? `${name}-quick` : name),
      settings,
      ...(quick ? { quick } : {}),
      ...(seeds === undefined ? {} : { seeds }),
      ...(arms === undefined ? {} : { arms }),
      ...(maxMinutes === undefined ? {} : { maxMinutes }),
      signal,
      observer,
      command: commandLine(invocation),
      onTrial: ({ number, name: trial, seed }, of) => say(`seed ${seed}, trial ${number} of ${of}: ${trial}`),
    });
    clear();
    if (json) printJson(done);
    else await printResult(done);
    return done;
  });
}

/** Settings of every run: those of the file, overridden by the flags. */
async function settingsOf({ config, dataDir, threads }: ReproduceFlags): Promise<Readonly<Record<string, unknown>>> {
  const { readSettingsFile } = await import("../../settings/settingsFile.ts");
  const flags = { ...(dataDir === undefined ? {} : { dataDir }), ...(threads === undefined ? {} : { threads }) };
  if (config === undefined) return flags;
  const { settings, messages } = await readSettingsFile(config, flags);
  for (const message of messages) printError(message);
  return settings;
}

async function list(json: boolean): Promise<void> {
  const { experiments } = await import("../../experiments/experiments.ts");
  const rows = experiments.map(({ name, source, claim, minutes, needs }) => ({ name, source, claim, minutes, needs }));
  if (json) return printJson(rows);
  const { wrap } = await import("../../report/text.ts");
  print(rows.map((row) => describe(row, wrap)).join("\n\n"));
}

/** An experiment in a few lines: its name, cost and needs, then the claim. */
function describe(
  { name, minutes, needs, claim }: Pick<Experiment, "name" | "minutes" | "needs" | "claim">,
  wrap: (text: string, first?: string) => string,
): string {
  const needed = needs.length > 0 ? `needs ${needs.join(", ")}` : "makes its images";
  return [`${name}: about ${minutes} minutes; ${needed}`, wrap(claim, "  ")].join("\n");
}

async function printResult({ output, end, result, page }: Reproduction): Promise<void> {
  const { wrap } = await import("../../report/text.ts");
  if (result) {
    const findings = result.findings.flatMap(({ name, published, measured, sentence }) => [
      wrap(name),
      wrap(`published ${published}; measured ${measured}; ${sentence}`, "  "),
    ]);
    print([...findings, "", wrap(result.conclusion)].join("\n"));
  }
  if (page !== undefined) print(`page ${page}`);
  if (end === "finished") return;
  const why = end === "time" ? " at the time limit" : "";
  printError(`Stopped${why} in ${output}. The same command resumes the experiment.`);
}
