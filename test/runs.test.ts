/** Runs listed and compared by the command. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import sharp from "sharp";
import { openRun } from "../src/checkpoint/runDirectory.ts";
import { appendLog, readLog } from "../src/checkpoint/runLog.ts";
import { settingRows } from "../src/runs/compareRuns.ts";
import { readRunConfig } from "../src/settings/runConfig.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { builtCommand, type Outcome, run } from "./command.ts";
import { tinyNetwork, wideNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
let bin: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-runs-"));
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 640, test: 40 });
  await writeFile(join(folder, "tiny.json"), JSON.stringify(tinyNetwork));
  await trainClassifier({ ...quick(), network: tinyNetwork, run: join(folder, "runs/finished") });
  await trainClassifier({ ...quick(), network: wideNetwork, seed: 7, run: join(folder, "runs/other") });
  bin = await builtCommand();
});
after(() => rm(folder, { recursive: true }));

function alexnet(args: string): Promise<Outcome> {
  return run([bin, ...args.split(" ")], { cwd: folder });
}

/** What it is trained with besides its network. */
const quick = () => ({ dataDir: join(folder, "data"), threads: 1, epochs: 2, batchSize: 16 });

const training = "--network tiny.json --data-dir data --threads 1 --batch-size 16";

test("runs: running, finished, interrupted, diverged; what cannot be read is said; nothing is changed", async () => {
  const copyOf = async (name: string) => {
    await cp(join(folder, "runs/finished"), join(folder, "states", name), { recursive: true });
    return join(folder, "states", name);
  };
  await copyOf("a-finished");
  await rm(join(await copyOf("b-interrupted"), "report.html"));
  await writeFile(join(await copyOf("c-unreadable"), "log.jsonl"), "{}\n");
  await mkdir(join(folder, "states/no-run"));
  const diverged = await alexnet(`train ${training} --learning-rate 1e38 --run states/d-diverged`);
  assert.equal(diverged.exit, 3);
  const running = await openRun(await copyOf("e-running"));
  // The lock of a process that is dead.
  await writeFile(join(await copyOf("f-finished"), "lock-999999999-nothing"), "");
  const files = async () => (await readdir(join(folder, "states"), { recursive: true })).sort();
  const before = await files();

  const { exit, stdout } = await alexnet("runs states");
  assert.equal(exit, 0);
  for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
  for (const [name, state] of [
    ["a-finished", "finished"],
    ["b-interrupted", "interrupted"],
    ["d-diverged", "diverged"],
    ["e-running", "running"],
    ["f-finished", "finished"],
  ]) {
    assert.match(stdout, new RegExp(`^${name} +${state} +tiny `, "m"));
  }
  assert.match(stdout, /^states\/c-unreadable\/log\.jsonl: line 1: expected a log\s+entry/m);
  assert.doesNotMatch(stdout, /no-run/);
  assert.deepEqual(await files(), before);
  await running.close();

  const listed: { run: string; state: string; divergence?: string }[] = JSON.parse(
    (await alexnet("runs states --json")).stdout,
  );
  const byName = new Map(listed.map((entry) => [entry.run, entry]));
  assert.match(
    byName.get("states/d-diverged")?.divergence ?? "",
    /^training: .* after iteration \d+; start another run/,
  );
  assert.equal(byName.get("states/e-running")?.state, "finished", "it is unlocked now");
});

test("runs: the figures are those of the log", async () => {
  const [finished] = JSON.parse((await alexnet("runs runs --json")).stdout);
  const log = await readLog(join(folder, "runs/finished"));
  const tested = log.filter((entry) => entry.testAccuracy !== undefined);
  const accuracies = tested.map(({ testAccuracy = 0 }) => testAccuracy);
  assert.deepEqual(
    [finished.network, finished.dataset, finished.epoch, finished.epochs, finished.iteration],
    ["tiny", "fashion-mnist", 2, 2, 80],
  );
  assert.equal(finished.bestAccuracy, Math.max(...accuracies));
  assert.equal(finished.lastAccuracy, accuracies.at(-1));
  assert.equal(finished.lastLoss, tested.at(-1)?.testLoss);
  assert.equal(finished.examplesPerSecond, 1280 / (log.at(-1)?.seconds ?? 0));
  assert.match((await alexnet("runs runs/finished")).stdout, /^finished +finished +tiny/m);
  const none = await alexnet("runs data");
  assert.deepEqual([none.exit, none.stdout, none.stderr], [0, "", "data: no runs; alexnet train creates one\n"]);
  const missing = await alexnet("runs nowhere");
  assert.deepEqual(
    [missing.exit, missing.stderr],
    [1, "alexnet: nowhere: no such folder; give the folder that contains the runs\n"],
  );
});

test("runs: imported weights are listed with what is known of them; compare says why it cannot", async () => {
  await mkdir(join(folder, "mixed"));
  await cp(join(folder, "runs/finished"), join(folder, "mixed/a-trained"), { recursive: true });
  await alexnet("export runs/finished --output tiny.pth");
  const { exit, stderr } = await alexnet("import tiny.pth --like runs/finished --run mixed/b-imported");
  assert.equal(exit, 0, stderr);
  await mkdir(join(folder, "mixed/c-damaged"));
  await writeFile(join(folder, "mixed/c-damaged/last.safetensors"), "no weights");
  const { stdout } = await alexnet("runs mixed");
  assert.match(stdout, /^b-imported +imported +tiny +– +– +– +–\na-trained +finished +tiny /m);
  assert.match(stdout, /^mixed\/c-damaged\/last\.safetensors: /m);
  const listed: readonly object[] = JSON.parse((await alexnet("runs mixed/b-imported --json")).stdout);
  assert.deepEqual(listed, [{ run: "mixed/b-imported", state: "imported", network: "tiny", classes: 10 }]);
  const compared = await alexnet("compare mixed/a-trained mixed/b-imported");
  assert.deepEqual(
    [compared.exit, compared.stdout, compared.stderr],
    [
      1,
      "",
      "alexnet: mixed/b-imported: contains imported weights, not a training run (no settings, no log); " +
        "use alexnet summary or evaluate\n",
    ],
  );
});

test("a run that diverged and is resumed is no longer one that diverged", async () => {
  const directory = join(folder, "again");
  await cp(join(folder, "runs/finished"), directory, { recursive: true });
  await writeFile(join(directory, "diverged.txt"), "training: it did\n");
  await rm(join(directory, "report.html"));
  assert.match((await alexnet("runs again")).stdout, /^again +diverged/m);
  assert.equal((await alexnet("train --run again --resume --data-dir data --threads 1")).exit, 0);
  assert.match((await alexnet("runs again")).stdout, /^again +finished/m);
});

test("a run that early stopping ended is finished, one that was interrupted within its patience is not", async () => {
  const early = join(folder, "early/run");
  // With a rate that changes nothing, no epoch is better than the first.
  const still = { learningRate: 1e-30, epochs: 50, earlyStopping: 2 };
  const { last } = await trainClassifier({ ...quick(), ...still, network: tinyNetwork, run: early });
  assert.equal(last?.epoch, 3);
  assert.match((await alexnet("runs early")).stdout, /^run +finished +tiny .* 3\/50 /m);
  const lines = (await readFile(join(early, "log.jsonl"), "utf8")).trim().split("\n");
  // An evaluation for lack of time, within the third epoch, is no end of patience.
  const within = { ...JSON.parse(lines.at(-1) ?? ""), epoch: 2.5 };
  await writeFile(join(early, "log.jsonl"), [...lines.slice(0, -1), JSON.stringify(within), ""].join("\n"));
  assert.match((await alexnet("runs early")).stdout, /^run +interrupted +tiny .* 2\.5\/50 /m);
});

test("a run that went back after divergence is listed and compared like any other", async () => {
  const back = join(folder, "back");
  await cp(join(folder, "runs/finished"), back, { recursive: true });
  const entry = { rollback: 1, reason: "training: the loss is NaN after iteration 90", learningRateFactor: 0.1 };
  await appendLog(back, { epoch: 2, iteration: 80, ...entry });
  assert.match((await alexnet("runs back")).stdout, /^back +finished +tiny .* 2\/2 /m);
  const { exit, stdout } = await alexnet("compare back runs/finished");
  assert.equal(exit, 0);
  assert.match(stdout, /^Settings: the same in all runs/m);
});

test("settings: the order of layers counts, and long values that begin alike are told apart", async () => {
  const config = await readRunConfig(join(folder, "runs/finished"));
  assert.ok(config);
  const { layers } = config.network;
  const picture = (last: number) => Buffer.from([...new Uint8Array(784), last]).toString("base64");
  const withMean = (last: number) => ({
    ...config,
    preprocessing: { ...config.preprocessing, meanImage: picture(last) },
    network: { ...config.network, layers: last === 0 ? layers : layers.toReversed() },
  });
  const rows = new Map(settingRows([withMean(0), withMean(1)]).map(({ name, values }) => [name, values]));
  const [first = "", second = ""] = rows.get("preprocessing.meanImage") ?? [];
  assert.match(first, /^A{60}… \(1048 characters, SHA-256 [0-9a-f]{8}…\)$/);
  assert.notEqual(first, second);
  assert.deepEqual(rows.get("network.layers")?.[1]?.split(", "), layers.map(({ name }) => name).toReversed());
});

test("compare: figures, curves, every setting that differs and no other; charts and a page as files", async () => {
  const { exit, stdout, stderr } = await alexnet("compare runs/finished runs/other --output out");
  assert.equal(exit, 0, stderr);
  assert.equal(stderr, "wrote out/compare.html\n");
  for (const line of stdout.split("\n")) assert.ok([...line].length <= 80, line);
  assert.match(stdout, /^A {2}runs\/finished\nB {2}runs\/other\n/);
  assert.match(stdout, /^parameters +3,594 +203,530$/m);
  assert.match(stdout, /^recipe\.seed +0 +≠ 7$/m);
  assert.match(stdout, /^network\.name +tiny +≠ wide$/m);
  assert.match(stdout, /^network\.conv1\.kernelSize +5 +≠ –$/m);
  assert.doesNotMatch(stdout, /^recipe\.epochs|^(?:network|recipe)\.source|^started|^command/m);
  const files = ["accuracy", "test-loss", "train-accuracy", "train-loss"].flatMap((name) => [
    `compare-${name}.png`,
    `compare-${name}.svg`,
  ]);
  assert.deepEqual((await readdir(join(folder, "out"))).sort(), [...files, "compare.html"].sort());
  const { width, format } = await sharp(join(folder, "out/compare-accuracy.png")).metadata();
  assert.deepEqual([width, format], [1440, "png"]);
  assert.match(await readFile(join(folder, "out/compare.html"), "utf8"), /<td class="different">≠ 7<\/td>/);

  const { runs, settings } = JSON.parse((await alexnet("compare runs/finished runs/other --json")).stdout);
  assert.deepEqual(
    runs.map(({ parameters }: { parameters: number }) => parameters),
    [3594, 203530],
  );
  assert.ok(
    settings.some(({ name }: { name: string }) => name === "recipe.momentum" || name === "recipe.optimizer.momentum"),
  );
});

test("compare: one run, or a folder that is none, is refused", async () => {
  const one = await alexnet("compare runs/finished");
  assert.deepEqual([one.exit, one.stderr], [2, "alexnet: compare: expected 2 to 26 runs, got 1\n"]);
  const none = await alexnet("compare runs/finished data");
  assert.equal(none.exit, 1);
  assert.match(none.stderr, /^alexnet: data: contains no run \(expected config\.json/);
});
