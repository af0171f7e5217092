/** `alexnet bench`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { BenchmarkCase, BenchmarkSettings } from "../../benchmark/benchmark.ts";
import type { InferencePrecision } from "../../engine/engine.ts";
import { AlexNetError, UsageError } from "../../errors.ts";
import { networks } from "../../network/alexnet.ts";
import { type Scheme, schemes } from "../../network/schemes.ts";
import { formatDuration } from "../../report/numbers.ts";
import type { BenchmarkReport } from "../../report/tables/benchmarkReport.ts";
import type { RecipeOverrides } from "../../settings/settings.ts";
import { jsonOption, positiveInteger } from "../options.ts";
import { print, printJson } from "../output.ts";
import { progressLine } from "../progress.ts";
import { onStopSignals } from "../signals.ts";
import type { CommandSpec, Invocation } from "../spec.ts";
import { settingOption, settingOptions } from "../trainingOptions.ts";

export const bench: CommandSpec = {
  options: [
    {
      flags: "--network <network...>",
      help: "names or JSON files (default: alexnet-fashion, alexnet-owt, alexnet)",
      suggestions: networks.map(({ name }) => name),
    },
    {
      flags: "--precision <name...>",
      help: "number formats, int8 for inference only (default: f32, and bf16 if the processor supports it)",
      choices: ["f32", "bf16", "int8"],
    },
    {
      flags: "--batch-size <n>",
      help: "images per batch of training and inference; inference is also measured with single images",
      parse: positiveInteger,
      default: 128,
    },
    { ...settingOption("recipe"), help: "recipe of the training steps, a name or a JSON file (default: fashion)" },
    { flags: "--rounds <n>", help: "number of times to measure everything", parse: positiveInteger, default: 3 },
    { flags: "--layers", help: "report the time of every layer, forward and backward" },
    {
      flags: "--processes <n>",
      help: "measure training steps in n processes of this machine, each with a part of the work and of the cores; requires Open MPI",
      parse: positiveInteger,
    },
    { flags: "--parallel <scheme>", help: "division of work among processes (default: data)", choices: schemes },
    jsonOption,
    ...settingOptions("bench"),
  ],
  examples: [
    ["alexnet bench", "three networks, f32 and bf16"],
    ["alexnet bench --network alexnet-owt --layers", "the time of each layer"],
    ["alexnet bench --precision bf16 --rounds 5", "one format, five times"],
    ["alexnet bench --engine wasm --network alexnet-small", "the WebAssembly engine"],
    ["alexnet bench --precision f32 int8", "inference in 8-bit numbers too"],
    ["alexnet bench --network my-network.json --json"],
    ["alexnet bench --processes 2 --parallel hybrid", "and the time spent waiting"],
    ["alexnet bench --optimizer adamw --clip-norm 1 --average 0.999"],
  ],
  notes: `
A step includes everything that training does with a batch. GFLOP/s count the
arithmetic of direct convolution. Fourier transforms and Winograd's algorithm
need less, so a network may exceed the ceiling, which is measured directly. The
floor is the time that the chosen algorithms' arithmetic takes at the ceiling.
Each round measures every network in a process of its own; figures are medians
over rounds. Keep the machine idle.`,
  run: measure,
};

interface BenchFlags extends Omit<BenchmarkSettings, "recipe" | "job">, RecipeOverrides {
  readonly processes?: number;
  readonly parallel?: Scheme;
  readonly batchSize: number;
  readonly recipe?: string;
  readonly network?: readonly string[];
  readonly precision?: readonly InferencePrecision[];
  readonly rounds: number;
  readonly json?: boolean;
}

async function measure(flags: BenchFlags, { fail }: Invocation): Promise<void> {
  const { isInJob } = await import("../../communication/join.ts");
  if (isInJob(process.env)) return measureInJob(flags);
  const { processes = 1, parallel } = flags;
  if (parallel !== undefined && processes === 1) fail("--parallel requires --processes of at least 2");
  if (flags.layers && processes > 1) fail("--layers excludes --processes; omit one");
  const { benchmarkCases, measureOnce } = await import("../../benchmark/benchmark.ts");
  const { loadRecipe } = await import("../../settings/load.ts");
  const { withOverrides } = await import("../../settings/overrides.ts");
  const cases = await benchmarkCases(flags.network, flags.precision, flags.engine);
  const [only] = cases;
  const recipe = withOverrides(await loadRecipe(flags.recipe ?? "fashion"), flags);
  if (processes > 1) await refuseJob(cases, { ...flags, processes }, recipe);
  const report =
    only && cases.length === 1 && flags.rounds === 1 && processes === 1
      ? await measureOnce(only, { ...flags, recipe })
      : await measureInProcesses(cases, flags);
  if (!report) return;
  if (flags.json) printJson(report);
  else {
    const { formatBenchmark } = await import("../../report/tables/benchmarkReport.ts");
    print(formatBenchmark(report));
  }
}

/** Throws UsageError for cases that several processes cannot train, before any is measured. */
async function refuseJob(
  cases: readonly BenchmarkCase[],
  { processes, parallel: scheme = "data", engine = "auto", batchSize }: BenchFlags & { readonly processes: number },
  recipe: BenchmarkSettings["recipe"],
): Promise<void> {
  const { refuseProcesses } = await import("../../trainer/refuseProcesses.ts");
  const { loadNetwork } = await import("../../settings/load.ts");
  // Images are noise, which nothing mixes.
  const { cutmix: _, ...unmixed } = { ...recipe, batchSize, mixup: 0 };
  for (const { network: name, precision } of cases) {
    if (precision === "int8") {
      throw new UsageError("--precision int8: inference only; use f32 or bf16 with --processes");
    }
    refuseProcesses(processes, { recipe: unmixed, engine, scheme, network: await loadNetwork(name) });
  }
}

/** Measures in the processes of a job; process 0 prints the report. */
async function measureInJob(flags: BenchFlags): Promise<void> {
  const { requireLaunched, runInJob } = await import("../processes.ts");
  const { benchmark, benchmarkCases, measureOnce } = await import("../../benchmark/benchmark.ts");
  const { formatBenchmark } = await import("../../report/tables/benchmarkReport.ts");
  const { loadRecipe } = await import("../../settings/load.ts");
  const { withOverrides } = await import("../../settings/overrides.ts");
  const { processes, parallel: scheme = "data", ...settings } = flags;
  requireLaunched(processes);
  await runInJob(async (communicator) => {
    const recipe = withOverrides(await loadRecipe(flags.recipe ?? "fashion"), flags);
    const cases = await benchmarkCases(flags.network, flags.precision, flags.engine);
    const measured = { ...settings, recipe, job: { communicator, scheme } };
    const report = await benchmark(
      cases,
      flags.rounds,
      (each) => measureOnce(each, measured),
      () => {},
    );
    if (communicator.rank > 0) return;
    if (flags.json) printJson(report);
    else print(formatBenchmark(report));
  });
}

/** Undefined if it is interrupted. */
async function measureInProcesses(
  cases: readonly BenchmarkCase[],
  flags: BenchFlags,
): Promise<BenchmarkReport | undefined> {
  const { benchmark } = await import("../../benchmark/benchmark.ts");
  const stop = onStopSignals(() => {});
  const line = progressLine("bench");
  const started = performance.now();
  try {
    return await benchmark(
      cases,
      flags.rounds,
      (benchmarkCase) => measureInProcess(benchmarkCase, flags, stop.signal),
      ({ network, precision }, done, total) => {
        const left = ((performance.now() - started) / 1000 / done) * (total - done);
        line.update(done, total, `${done + 1} of ${total}: ${network} ${precision}, ${formatDuration(left)} left`);
      },
    );
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    process.exitCode = stop.exitCode();
    return undefined;
  } finally {
    line.clear();
    stop.end();
  }
}

/** Runs this command for one round of one case. If its process fails, throws AlexNetError with that process's message. */
async function measureInProcess(
  { network, precision }: BenchmarkCase,
  { rounds: _rounds, network: _network, precision: _precision, json: _json, ...settings }: BenchFlags,
  signal: AbortSignal,
): Promise<BenchmarkReport> {
  const one = ["bench", "--rounds", "1", "--network", network, "--precision", precision, "--json"];
  const flags = Object.entries(settings).flatMap(([name, value]) => [
    `--${name.replaceAll(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`,
    ...(value === true ? [] : [String(value)]),
  ]);
  const program = [process.execPath, ...process.execArgv, process.argv[1] ?? "", ...one, ...flags];
  const { processes = 1, threads } = settings;
  const isJob = processes > 1;
  const { LAUNCHED_VARIABLE, launchArguments } = await import("../launch.ts");
  const [command = "", ...args] = isJob ? ["mpirun", ...launchArguments({ processes, threads }), ...program] : program;
  const env = isJob ? { ...process.env, [LAUNCHED_VARIABLE]: String(processes) } : process.env;
  const child = spawn(command, args, { signal, env, stdio: ["ignore", "pipe", "pipe"] });
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      texts[name] += text;
    });
  }
  const [code, killed] = await once(child, "close");
  if (code === 0) return JSON.parse(texts.stdout);
  const said = texts.stderr.trim().replace(/^alexnet: /, "");
  throw new AlexNetError(
    said || `bench: measuring ${network} in ${precision} failed with ${killed ?? `exit code ${code}`}`,
  );
}
