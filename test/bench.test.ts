/** `alexnet bench` from outside: what it measures in processes of its own, and what it says to bad input. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { BenchmarkReport } from "../src/report/tables/benchmarkReport.ts";
import { builtCommand, type Outcome, run, start } from "./command.ts";
import { tinyNetwork } from "./tinyRuns.ts";

let folder: string;
let bin: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-bench-"));
  const headless = { ...tinyNetwork, name: "headless", layers: tinyNetwork.layers.slice(0, 4) };
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  await writeFile(join(folder, "headless.json"), JSON.stringify(headless));
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

function bench(args: string): Promise<Outcome> {
  return run([bin, "bench", ...args.split(" ")], { cwd: folder });
}

test("two rounds of one network, as JSON: the documented fields, with figures that agree", async () => {
  const { exit, stdout, stderr } = await bench(
    "--network tiny.json --precision f32 --rounds 2 --batch-size 8 --layers --json --optimizer adamw --clip-norm 2 --average 0.99",
  );
  assert.equal(exit, 0, stderr);
  const report: BenchmarkReport = JSON.parse(stdout);
  const keys = ["machine", "engine", "threads", "batchSize", "optimizer", "exact", "rounds", "ceilings", "networks"];
  assert.deepEqual(Object.keys(report), keys);
  assert.deepEqual([report.batchSize, report.exact, report.rounds], [8, false, 2]);
  // As the process that measures was told.
  assert.match(report.optimizer, /^AdamW, .*; gradients clipped to 2; weights averaged by 0.99$/);
  const [ceiling] = report.ceilings;
  assert.deepEqual([report.ceilings.length, ceiling?.precision, report.networks.length], [1, "f32", 1]);
  const best = Math.max(...(ceiling?.operations.map(({ flopsPerSecond }) => flopsPerSecond.max) ?? []));
  assert.equal(ceiling?.flopsPerSecond.max, best);
  // Three operations in three directions.
  assert.equal(ceiling?.operations.length, 9);
  const [figures] = report.networks;
  assert.ok(figures);
  const { training, inference, layers } = figures;
  assert.ok(training);
  assert.deepEqual([figures.network, figures.precision], ["tiny", "f32"]);
  for (const { median, min, max } of Object.values(training)) assert.ok(min <= median && median <= max);
  assert.ok(training.stepSeconds.min < training.stepSeconds.max, "two rounds took the same time to the last bit");
  assert.ok(training.primitiveShare.min > 0 && training.reorderShare.min >= 0 && training.outsideShare.min > 0);
  assert.deepEqual(
    inference.map(({ batchSize }) => batchSize),
    [1, 8],
  );
  const learning = layers?.filter(({ flopsPerSecond }) => flopsPerSecond).map((row) => `${row.layer} ${row.direction}`);
  assert.deepEqual(learning?.sort(), [
    "conv1 backwardWeights",
    "conv1 forward",
    "fc2 backwardData",
    "fc2 backwardWeights",
    "fc2 forward",
    "fc3 backwardData",
    "fc3 backwardWeights",
    "fc3 forward",
  ]);
});

test("wrong usage exits 2, what cannot be measured 1, with one message", async () => {
  const wrong: readonly (readonly [args: string, exit: number, says: RegExp])[] = [
    ["--precision f16", 2, /--precision.*f32, bf16/],
    ["--rounds 0", 2, /--rounds.*expected a whole number above 0/],
    ["tiny.json", 2, /too many arguments/],
    ["--network alexnet-xl", 2, /^alexnet: network "alexnet-xl": .*alexnet-owt/],
    // Found out in the process that measures.
    ["--network headless.json --batch-size 2", 1, /^alexnet: loss: expected an output \[classes\].*\n$/],
  ];
  for (const [args, code, says] of wrong) {
    const { exit, stdout, stderr } = await bench(args);
    assert.equal(exit, code, `${args}: ${stderr}`);
    assert.equal(stdout, "", args);
    assert.match(stderr, says, args);
    assert.doesNotMatch(stderr, /\n {4}at /, args);
  }
});

test("an interrupt ends it and the process that measures", async () => {
  const running = start([bin, "bench", "--network", "tiny.json", "--rounds", "100"], { cwd: folder });
  while (measuring(running.process.pid).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  const [child] = measuring(running.process.pid);
  running.process.kill("SIGINT");
  assert.equal((await running.outcome).exit, 130);
  // Told to end; with much memory to give back that takes a moment. The time limit of the tests catches one that stays.
  while (existsSync(`/proc/${child}`)) await new Promise((resolve) => setTimeout(resolve, 20));
});

/** The processes that a process has started. */
function measuring(pid: number | undefined): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? [] : children.split(" ").map(Number);
}
