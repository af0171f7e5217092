/** Training in several processes that divide kernels and units: the run of one process, in every scheme. Linux, with Open MPI. */
// Runs alone: its processes take all cores and exchange at every step.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { withReader } from "../src/checkpoint/safetensorsReader.ts";
import type { TrainOptions, TrainResult } from "../src/trainer/trainClassifier.ts";
import { builtCommand } from "./command.ts";
import { mpirun, mpiTest, type RunningJob, startJob } from "./mpi/job.ts";
import { assertSameLog, succeeds, trainFlags } from "./mpi/runs.ts";
import { lastWeights, timelessLog, twoTowers, writeTinyRun } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";

const minutes = (n: number) => ({ timeout: n * 60_000 });
let folder = "";
let alexnet = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-schemes-"));
  await writeTinyRun(folder, { train: 75, test: 37 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(twoTowers));
  alexnet = await builtCommand();
});
after(() => rm(folder, { recursive: true, force: true }));

/** Trains in some processes. */
function train(processes: number, run: string, ...more: readonly string[]): RunningJob {
  const args = [alexnet, ...trainFlags(folder, run, ...more)];
  const place = { cwd: folder, env: { XDG_CACHE_HOME: folder } };
  const isJob = processes > 1;
  return startJob(isJob ? "mpirun" : process.execPath, isJob ? mpirun(processes, args) : args, place);
}

/** Trains in this process, without a report; the settings are those of `trainFlags`. */
function trainAlone(run: string, more: TrainOptions): Promise<TrainResult> {
  const settings = { network: twoTowers, dataDir: folder, precision: "f32", threads: 1, batchSize: 16 } as const;
  return trainWithoutReport({ ...settings, run: join(folder, run), ...more });
}

const updates = [
  ...["--epochs", "2", "--accumulate", "2", "--clip-norm", "0.5", "--average", "0.9"],
  ...["--class-weights", "balanced", "--label-smoothing", "0.1", "--augment", "flip,shift,erase"],
];

/** LARS needs the norm of each tensor, of which a process has a part. */
const optimizers = [
  ["towers", ["--optimizer", "lars", "--learning-rate", "4", "--base-batch-size", "16"]],
  ["hybrid", ["--optimizer", "adam"]],
] as const;

for (const [scheme, optimizer] of optimizers) {
  mpiTest(
    `${scheme}, ${optimizer[1]}: everything that changes the update, and the files of one process`,
    minutes(3),
    async () => {
      const run = `${scheme}-${optimizer[1]}`;
      const alone = `one-${run}`;
      await succeeds(train(1, alone, ...updates, ...optimizer));
      await succeeds(train(2, run, "--parallel", scheme, ...updates, ...optimizer));
      const config = JSON.parse(await readFile(join(folder, run, "config.json"), "utf8"));
      assert.deepEqual([config.processes, config.parallel], [2, scheme]);
      await assertSameLog(folder, run, alone);
      assert.deepEqual((await readdir(join(folder, run))).sort(), (await readdir(join(folder, alone))).sort());
      const [ours, theirs] = [await predictions(run), await predictions(alone)];
      for (const [i, [probability, ...image]] of theirs.entries()) {
        assert.deepEqual(ours[i]?.slice(1), image);
        assert.ok(Math.abs(Number(ours[i]?.[0]) - Number(probability)) < 1e-2, `${scheme}: image ${i}`);
      }
      for (const file of ["best.safetensors", "last.safetensors", "last.optimizer.safetensors"]) {
        const [ours, theirs] = [await tensors(run, file), await tensors(alone, file)];
        assert.deepEqual([...ours.keys()], [...theirs.keys()]);
        for (const [name, values] of theirs) assertNear(ours.get(name), values, `${scheme}: ${file}: ${name}`);
      }
    },
  );
}

/** Lines of predictions.csv: probability of the prediction, then what identifies the image. */
async function predictions(run: string): Promise<readonly (readonly (string | undefined)[])[]> {
  const lines = (await readFile(join(folder, run, "predictions.csv"), "utf8")).trimEnd().split("\r\n").slice(1);
  assert.equal(lines.length, 37);
  return lines.map((line) => {
    const [index, file, className, , probability] = line.split(",");
    return [probability, index, file, className];
  });
}

/** Adam divides gradients by their size: where that is small, a difference of rounding is not. */
function assertNear(ours: Float32Array | undefined, theirs: Float32Array, where: string): void {
  assert.equal(ours?.length, theirs.length, where);
  const distance = theirs.reduce((sum, x, i) => sum + (x - (ours?.[i] ?? Number.NaN)) ** 2, 0);
  const size = theirs.reduce((sum, x) => sum + x * x, 0);
  assert.ok(Math.sqrt(distance) <= 1e-3 * Math.sqrt(size) + 1e-6, `${where}: off by ${Math.sqrt(distance / size)}`);
}

function tensors(run: string, file: string): Promise<ReadonlyMap<string, Float32Array>> {
  const all = new Map<string, Float32Array>();
  return withReader(join(folder, run, file), async (reader) => {
    await reader.stream(async (name, values) => void all.set(name, values.slice()));
    return all;
  });
}

mpiTest("any scheme and number of processes resumes a run, and the same one to the bit", minutes(4), async () => {
  await succeeds(train(2, "whole", "--parallel", "towers", "--epochs", "4"));
  await succeeds(train(2, "halved", "--parallel", "towers", "--epochs", "2"));
  // The scheme of the stored run is the default.
  const same = await succeeds(train(2, "halved", "--resume", "--epochs", "4"));
  assert.doesNotMatch(same.stderr, /parallel:/);
  assert.deepEqual(await lastWeights(join(folder, "halved")), await lastWeights(join(folder, "whole")));
  const other = await succeeds(train(2, "halved", "--resume", "--epochs", "5", "--parallel", "hybrid"));
  assert.match(other.stderr, /parallel: hybrid now, towers when the run began; results may differ slightly/);
  const four = await succeeds(train(4, "halved", "--resume", "--epochs", "6", "--parallel", "hybrid"));
  assert.match(four.stderr, /processes: 4 now, 2 when the run began/);
  await succeeds(train(1, "halved", "--resume", "--epochs", "7"));
  const epochs = (await timelessLog(join(folder, "halved"))).filter(({ testAccuracy }) => testAccuracy !== undefined);
  assert.equal(epochs.length, 7);
  await trainAlone("one-whole", { epochs: 7 });
  await assertSameLog(folder, "halved", "one-whole");
});

mpiTest("towers: mixup, a batch size that the processes do not divide, and rollback", minutes(3), async () => {
  const flags = ["--epochs", "2", "--batch-size", "15", "--mixup", "0.4"];
  await trainAlone("one-mixed", { epochs: 2, batchSize: 15, mixup: 0.4 });
  await succeeds(train(2, "mixed", "--parallel", "towers", ...flags));
  await assertSameLog(folder, "mixed", "one-mixed");
  const wild = ["--epochs", "1", "--learning-rate", "1e30", "--on-divergence", "rollback"];
  const rescued = await succeeds(train(2, "rescued", "--parallel", "towers", ...wild, "--rollback-factor", "1e-32"));
  assert.match(rescued.stderr, /back to iteration 0 with the learning rate × 1e-32 \(rollback 1 of 3\)/);
});

mpiTest("bench measures steps of several processes", minutes(2), async () => {
  const bench = (...more: readonly string[]) => {
    const flags = ["bench", "--network", "tiny.json", "--precision", "f32", "--batch-size", "4", "--rounds", "1"];
    const place = { cwd: folder, env: { XDG_CACHE_HOME: folder } };
    return startJob(process.execPath, [alexnet, ...flags, "--processes", "2", ...more], place);
  };
  const { stdout } = await succeeds(bench("--parallel", "towers", "--json"));
  const { processes, parallel, networks } = JSON.parse(stdout);
  assert.deepEqual([processes, parallel], [2, "towers"]);
  const { imagesPerSecond, waitingFraction, exchangedBytes, peakMemoryBytes } = networks[0].joint;
  assert.ok(imagesPerSecond.median > 0 && peakMemoryBytes.median > 1e6);
  assert.ok(waitingFraction.median >= 0 && waitingFraction.median < 1);
  // Own parts of conv2's 5×5 and conv3's 3×3 maps, units and scores, and both parts of gradients. Layouts may fill channels up to blocks of 16.
  const [own, scores] = [4 * 25 + 4 * 9 + 8, 5];
  const bytes = 4 * 4 * (own + scores + 2 * own);
  assert.ok(exchangedBytes >= bytes && exchangedBytes <= 4 * bytes, `${exchangedBytes}, ${bytes}`);
  for (const [flags, message] of [
    [["--parallel", "data", "--batch-size", "5"], /batch size 5: expected a multiple of 2/],
    [["--layers"], /--layers excludes --processes; omit one/],
  ] as const) {
    const refused = await bench(...flags).outcome;
    assert.equal(refused.exit, 2, refused.stderr);
    assert.match(refused.stderr, message);
  }
});

mpiTest("fine-tuning with frozen layers", minutes(3), async () => {
  const flags = ["--from", "one-mixed", "--freeze", "conv", "--kept-views", "0", "--epochs", "1"];
  await trainAlone("one-tuned", { from: join(folder, "one-mixed"), freeze: ["conv"], keptViews: 0, epochs: 1 });
  for (const scheme of ["towers", "hybrid"]) {
    await succeeds(train(2, `tuned-${scheme}`, "--parallel", scheme, ...flags));
    await assertSameLog(folder, `tuned-${scheme}`, "one-tuned");
  }
});
