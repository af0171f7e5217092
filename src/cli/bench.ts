/** `alexnet bench`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type Command, Option } from "commander";
import type { BenchmarkCase, BenchmarkSettings } from "../benchmark/benchmark.ts";
import type { Precision } from "../engine/engine.ts";
import { AlexNetError } from "../errors.ts";
import { formatDuration } from "../report/numbers.ts";
import { type BenchmarkReport, formatBenchmark } from "../report/tables/benchmarkReport.ts";
import { addOptimizerOptions, jsonOption, positiveInteger, threadsOption } from "./options.ts";
import { print, printJson, progressLine } from "./output.ts";
import { onStopSignals } from "./signals.ts";

interface BenchFlags extends BenchmarkSettings {
  readonly network?: readonly string[];
  readonly precision?: readonly Precision[];
  readonly rounds: number;
  readonly json?: boolean;
}

const examples = `
Examples:
  alexnet bench                                  three networks, f32 and bf16
  alexnet bench --network alexnet-owt --layers   where a step's time goes
  alexnet bench --precision bf16 --rounds 5      one format, five times
  alexnet bench --network my-network.json --json
  alexnet bench --optimizer adamw --clip-norm 1 --average 0.999

A step is all that training does with a batch. GFLOP/s count the arithmetic of
direct convolution: Winograd's algorithm does with less, so a network may
exceed the ceiling, which is direct. Every network is measured once a round in
a process of its own; figures are medians of the rounds. Keep the machine idle.
`;

export function addBench(program: Command): void {
  const command = program
    .command("bench")
    .description("measure how fast this machine trains and classifies, and its ceiling")
    .option("--network <name...>", "names, or JSON files (default: alexnet-fashion, alexnet-owt, alexnet)")
    .addOption(
      new Option("--precision <name...>", "number formats (default: f32, and bf16 where the processor has it)").choices(
        ["f32", "bf16"],
      ),
    )
    .option("--batch-size <n>", "images in a step, and in the larger inference", positiveInteger, 128)
    .option("--recipe <name>", "by which steps are made, a name or a JSON file (default: fashion)")
    .option("--rounds <n>", "times that everything is measured", positiveInteger, 3)
    .option("--layers", "the time of every layer in every direction")
    .option("--exact", "direct convolution only")
    .addOption(threadsOption())
    .addOption(jsonOption())
    .addHelpText("after", examples)
    .action(bench);
  addOptimizerOptions(command);
}

async function bench(flags: BenchFlags): Promise<void> {
  const { benchmarkCases, measureOnce } = await import("../benchmark/benchmark.ts");
  const cases = await benchmarkCases(flags.network, flags.precision);
  const [only] = cases;
  const report =
    only && cases.length === 1 && flags.rounds === 1
      ? await measureOnce(only, flags)
      : await measureInProcesses(cases, flags);
  if (!report) return;
  if (flags.json) printJson(report);
  else print(formatBenchmark(report));
}

/** Undefined if it was interrupted. */
async function measureInProcesses(
  cases: readonly BenchmarkCase[],
  flags: BenchFlags,
): Promise<BenchmarkReport | undefined> {
  const { benchmark } = await import("../benchmark/benchmark.ts");
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

/** This command once more, for one round of one case. Throws AlexNetError with what that process says if it fails. */
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
  const args = [...process.execArgv, process.argv[1] ?? "", ...one, ...flags];
  const child = spawn(process.execPath, args, { signal, stdio: ["ignore", "pipe", "pipe"] });
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
    said || `bench: measuring ${network} in ${precision} ended with ${killed ?? `exit code ${code}`}`,
  );
}
