/**
 * Cost of `--live` in training: steps on noise alternate between serving a run's page to a polling browser, and both processes stopped. The run is
 * a copy of a real one whose log grows by a line per second, so that there is always something to draw.
 *
 *     node --import tsx bench/live.ts RUN [--network alexnet-fashion] [--precision bf16] [--steps 10] [--rounds 10]
 */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { initialize, trainingStep } from "../src/benchmark/benchmarkNetwork.ts";
import { selectEngine } from "../src/engine/select/selectEngine.ts";
import { operations } from "../src/network/network.ts";
import { spread } from "../src/report/tables/spread.ts";
import { loadNetwork, loadRecipe } from "../src/settings/load.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    network: { type: "string", default: "alexnet-fashion" },
    precision: { type: "string", default: "bf16" },
    steps: { type: "string", default: "10" },
    rounds: { type: "string", default: "10" },
  },
});
const [source] = positionals;
if (source === undefined) throw new Error("expected a run directory with a log and a checkpoint");
const [steps, rounds] = [Number(values.steps), Number(values.rounds)];
const folder = mkdtempSync(join(tmpdir(), "alexnet-bench-"));
const run = join(folder, "run");
cpSync(source, run, { recursive: true });
const log = join(run, "log.jsonl");
const line = `${readFileSync(log, "utf8").trimEnd().split("\n").at(-1)}\n`;

const server = spawn(process.execPath, ["bin/alexnet.js", "live", run], { stdio: ["ignore", "pipe", "inherit"] });
const url = await new Promise<string>((resolve) => {
  server.stdout.on("data", (text: Buffer) => resolve(/http:\S+/.exec(String(text))?.[0] ?? ""));
});
// Polls like src/report/pages/livePage.ts.
const reader = spawn(process.execPath, [
  "-e",
  `let version = "";
   setInterval(async () => {
     const answer = await fetch("${url}pieces?version=" + encodeURIComponent(version));
     if (answer.status !== 204) ({ version } = await answer.json());
   }, 2000);`,
]);
const watchers: readonly ChildProcess[] = [server, reader];
try {
  await measure();
} finally {
  for (const watcher of watchers) watcher.kill("SIGKILL");
  rmSync(folder, { recursive: true });
}

async function measure(): Promise<void> {
  const network = await loadNetwork(values.network);
  const { engine } = await selectEngine("onednn", undefined);
  const program = await engine.compileTraining({
    ops: operations(network),
    inputShape: network.input,
    batchSize: 128,
    precision: values.precision === "bf16" ? "bf16" : "f32",
  });
  await initialize(program, network);
  const step = await trainingStep(program, program.input, {
    ...(await loadRecipe("fashion")),
    learningRate: 1e-6,
  });
  console.log(
    `${engine.description}; ${network.name}, ${values.precision}, ${rounds} rounds of ${steps} steps each way`,
  );
  const ratios: number[] = [];
  for (let round = -1; round < rounds; round++) {
    // The order alternates between rounds, so that a drift of the machine's speed favours neither.
    const seconds = { watched: 0, alone: 0 };
    for (const kind of round % 2 === 0 ? (["watched", "alone"] as const) : (["alone", "watched"] as const)) {
      for (const watcher of watchers) watcher.kill(kind === "watched" ? "SIGCONT" : "SIGSTOP");
      seconds[kind] = await timeOf(step);
    }
    if (round < 0) continue;
    ratios.push(seconds.watched / seconds.alone);
    console.log(`watched ${seconds.watched.toFixed(3)} s, alone ${seconds.alone.toFixed(3)} s`);
  }
  program.close();
  engine.close();
  const { min, median, max } = spread(ratios);
  console.log(`time watched ÷ alone: ${median.toFixed(4)} (${min.toFixed(4)} to ${max.toFixed(4)})`);
}

async function timeOf(step: () => Promise<void>): Promise<number> {
  const start = performance.now();
  let written = start;
  for (let i = 0; i < steps; i++) {
    await step();
    if (performance.now() - written < 1000) continue;
    appendFileSync(log, line);
    written = performance.now();
  }
  return (performance.now() - start) / 1000;
}
