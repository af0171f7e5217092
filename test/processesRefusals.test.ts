/** What training in several processes refuses: one message with the remedy, exit code 2, no run directory. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import sharp from "sharp";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { isNative } from "../src/engine/select/precision.ts";
import { batchNorm2d, flatten, linear } from "../src/layers/kinds.ts";
import type { AnyLayer } from "../src/layers/layer.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { refusePlan, refuseProcesses } from "../src/trainer/refuseProcesses.ts";
import { findRecipe } from "../src/training/recipe.ts";
import { builtCommand, type Outcome, run } from "./command.ts";
import { jobEnvironment, mpiTest, startJob } from "./mpi/job.ts";
import { writeTinyRun } from "./tinyRuns.ts";
import { writeFiles } from "./writeFiles.ts";

let folder = "";
let alexnet = "";
/** The environment of one process. */
let env: Readonly<Record<string, string>> = {};
const engine = createOneDnnEngine();
const hasBf16 = isNative(engine, "bf16");
engine.close();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-refusals-"));
  await writeTinyRun(folder, { train: 40, test: 10 });
  env = { ...jobEnvironment, XDG_CACHE_HOME: folder };
  alexnet = await builtCommand();
});
after(() => rm(folder, { recursive: true, force: true }));

const flags = (...more: readonly string[]) => [
  ...["train", "--data-dir", folder, "--network", "tiny.json", "--precision", "f32", "--batch-size", "8"],
  ...["--epochs", "1", "--run", "run", ...more],
];

function refuses({ exit, stderr, stdout }: Outcome, message: RegExp): void {
  assert.match(stderr, message);
  assert.equal(exit, 2, stderr);
  assert.equal(stdout, "");
  assert.ok(!readdirSync(folder).includes("run"));
  assert.equal(stderr.match(/alexnet: |error: /g)?.length, 1, stderr);
}

const trainWith = (more: readonly string[], own: Readonly<Record<string, string>> = {}) =>
  run([alexnet, ...flags(...more)], { cwd: folder, env: { ...env, ...own } });

mpiTest("settings that several processes cannot train with", { timeout: 120_000 }, async () => {
  const two = ["--processes", "2"];
  refuses(await trainWith(["--processes", "0"]), /--processes.*0/);
  refuses(await trainWith(["--parallel", "towers"]), /--parallel requires --processes of at least 2/);
  refuses(
    await trainWith([...two, "--parallel", "towers"]),
    /--parallel towers: norm1: expected channels in groups that 2 processes divide/,
  );
  refuses(await trainWith([...two, "--parallel", "towers", "--engine", "wasm"]), /engine wasm: not supported/);
  refuses(await trainWith([...two, "--parallel", "hybrid", "--cutmix", "1"]), /cutmix: .*; use --cutmix 0, --parallel/);
  refuses(await trainWith(["--hosts", "elsewhere:1"]), /--hosts: expected at least 2 processes, got 1; add a host/);
  refuses(
    await trainWith(["--hosts", "a:1,b:1", "--folds", "3"]),
    /--hosts is for one run; add --fold N to train one fold/,
  );
  refuses(await trainWith(["--max-restarts", "1"]), /--max-restarts requires --processes of at least 2/);
  refuses(await trainWith([...two, "--mixup", "0.2"]), /mixup: not supported with several processes; use --mixup 0/);
  refuses(await trainWith([...two, "--cutmix", "1"]), /cutmix: not supported with several processes/);
  refuses(await trainWith([...two, "--engine", "wasm"]), /engine wasm: not supported with several processes/);
  refuses(
    await trainWith([...two, "--batch-size", "7"]),
    /batch size 7: expected a multiple of 2, the number of processes; use 6 or 8/,
  );
  const many = String(64 * availableParallelism());
  refuses(
    await trainWith(["--processes", many, "--batch-size", many]),
    /expected at most \d+ processes on the \d+ core/,
  );
  refuses(
    await trainWith(["--hosts", `localhost:${many}`, "--batch-size", many]),
    /--hosts: expected at most \d+ processes on a host with \d+ cores?, as this machine has, got \d+; use fewer, or set/,
  );
  refuses(
    await trainWith([...two, "--threads", many]),
    /expected at most 0 processes of \d+ threads on the \d+ cores of this machine; use fewer processes or threads/,
  );
});

test("without mpirun, one process trains", { timeout: 120_000 }, async () => {
  const bin = join(folder, "bin");
  await mkdir(bin);
  await symlink(process.execPath, join(bin, "node"));
  refuses(await trainWith(["--processes", "2"], { PATH: bin }), /mpirun is not on the PATH; install Open MPI/);
  const alone = await run([alexnet, ...flags("--processes", "1")], { cwd: folder, env: { ...env, PATH: bin } });
  assert.equal(alone.exit, 0, alone.stderr);
  await rm(join(folder, "run"), { recursive: true });
});

/** Message of a job that is refused, with one process for each list of arguments. */
async function messageOf(...parts: readonly (readonly string[])[]): Promise<string> {
  const programs = parts.flatMap((more, i) => [
    ...(i === 0 ? [] : [":"]),
    ...["-n", "1", process.execPath, alexnet, ...flags(...more)],
  ]);
  const args = ["--oversubscribe", "--bind-to", "none", ...programs];
  const { exit, stderr } = await startJob("mpirun", args, { cwd: folder, env }).outcome;
  assert.equal(exit, 2, stderr);
  assert.ok(!readdirSync(folder).includes("run"));
  return stderr;
}

mpiTest("a job that was started by hand: --processes, and processes that differ", { timeout: 240_000 }, async () => {
  assert.match(
    await messageOf(["--processes", "2"], ["--processes", "2"]),
    /--processes: this process belongs to a job/,
  );
  for (const [other, said] of [
    [
      ["--seed", "7"],
      /recipe\.seed: expected the same in all processes, got \d+ in process 0 and 7 in process 1; start/,
    ],
    [["--train-limit", "20"], /images: .*got "?40 for training"? in process 0 and "?20 for training"? in process 1/],
    [["--parallel", "hybrid"], /parallel: .*got "?data"? in process 0 and "?hybrid"? in process 1/],
    // Without instructions for bf16, the library may have none at all: process 1 would end before the two compare themselves.
    ...(hasBf16
      ? ([[["--precision", "bf16"], /precision: .*got "f32" in process 0 and "bf16" in process 1/]] as const)
      : []),
  ] as const) {
    const text = await messageOf([], other);
    assert.match(text, said);
    assert.equal(text.match(/alexnet: /g)?.length, 1, text);
  }
});

mpiTest("settings that are known once the data set is loaded", { timeout: 120_000 }, async () => {
  const pixels = { raw: { width: 28, height: 28, channels: 1 } } as const;
  const image = await sharp(Buffer.alloc(28 * 28, 90), pixels)
    .png()
    .toBuffer();
  const names = [...Array(8).keys()].map((i) => `${i}.png`);
  await writeFiles(
    join(folder, "photos"),
    names.map((name) => [name, image]),
  );
  const rows = names.map((name, i) => `${name},${i % 2 === 0 ? "a" : "a|b"},${i < 4 ? "train" : "test"}`);
  await writeFile(join(folder, "labels.csv"), `id,tags,split\n${rows.join("\n")}\n`);
  const labels = ["photos", "--labels", "labels.csv", "--label-column", "tags", "--label-separator", "|"];
  const text = await messageOf(labels, labels);
  assert.match(text, /several labels an image: not supported with several processes; use one process/);
  assert.equal(text.match(/alexnet: /g)?.length, 1, text);
  assert.throws(
    () =>
      refuseProcesses(2, {
        recipe: findRecipe("fashion"),
        engine: "onednn",
        keptViews: 1,
        scheme: "data",
        network: undefined,
      }),
    /^UsageError: cached features of frozen layers: not supported with several processes; add --kept-views 0/,
  );
  const network = { ...findNetwork("alexnet-fashion"), layers: [batchNorm2d("norm0")] as AnyLayer[] };
  const norm = { recipe: findRecipe("fashion"), engine: "onednn", network };
  assert.throws(
    () => refuseProcesses(2, norm),
    /^UsageError: norm0: statistics of the batch: not supported with several processes; use one process, or freeze/,
  );
  refuseProcesses(2, { ...norm, frozen: ["norm0"] });
});

test("before processes start: frozen layers of a new run and of a stored one", () => {
  const layers = [batchNorm2d("norm0"), flatten("flatten"), linear("fc1", { outFeatures: 8 })] as AnyLayer[];
  const network = { ...findNetwork("alexnet-fashion"), layers };
  const [recipe, engine, stored] = [findRecipe("fashion"), "onednn", undefined] as const;
  const plan = { recipe, engine, network, stored, initFrom: undefined };
  const tuning = (freeze: readonly string[], keptViews: number | undefined) =>
    ({ ...plan, initFrom: { freeze, keptViews } }) as unknown as Parameters<typeof refusePlan>[1];
  const storedRun = (fineTuning: object) =>
    ({ ...plan, stored: { parallel: "hybrid", fineTuning } }) as unknown as Parameters<typeof refusePlan>[1];
  assert.throws(() => refusePlan(2, plan), /norm0: statistics of the batch/);
  assert.throws(() => refusePlan(2, tuning(["none"], 0)), /norm0: statistics of the batch/);
  refusePlan(2, tuning(["norm0"], 0));
  assert.throws(() => refusePlan(2, tuning(["norm0"], 1)), /cached features of frozen layers/);
  refusePlan(2, storedRun({ frozen: ["norm0"], keptViews: 0 }));
  assert.throws(() => refusePlan(2, storedRun({ frozen: ["norm0"], keptViews: 1 })), /cached features of frozen/);
  // The stored scheme is the default.
  const run = storedRun({ frozen: ["norm0"], keptViews: 0 });
  assert.throws(() => refusePlan(16, run), /^UsageError: --parallel hybrid: .* outputs that 16 processes divide/);
  refusePlan(16, run, "data");
});
