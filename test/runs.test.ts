/** `runs` and `compare`: runs as they stand in their directories, side by side. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openRun } from "../src/checkpoint/runDirectory.ts";
import { compareSettings } from "../src/classifier/compareRuns.ts";
import { listRuns, readRun } from "../src/classifier/runOverview.ts";
import { trainClassifier } from "../src/classifier/trainClassifier.ts";
import { lockHolder } from "../src/directoryLock.ts";
import { decodeImage } from "../src/image/decode.ts";
import { drawComparison } from "../src/report/compareCurves.ts";
import { formatRunList } from "../src/report/runTables.ts";
import { displayWidth } from "../src/report/text.ts";
import { buildPackage, type Outcome, run } from "./command.ts";
import { tinyNetwork, wideNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
let bin: string;
const hostile = "<b>&third";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-runs-"));
  await mkdir(join(folder, "data"));
  await writeTinyDataset(join(folder, "data"), { train: 200, test: 40 });
  const options = { dataDir: join(folder, "data"), threads: 1, batchSize: 16, engine: "onednn" } as const;
  await trainClassifier({ ...options, network: tinyNetwork, epochs: 2, run: join(folder, "runs/first") });
  await trainClassifier({ ...options, network: tinyNetwork, epochs: 2, seed: 7, run: join(folder, "runs/second") });
  await trainClassifier({ ...options, network: wideNetwork, epochs: 1, run: join(folder, "runs", hostile) });
  bin = await buildPackage(join(folder, "package"));
});
after(() => rm(folder, { recursive: true }));

function alexnet(...args: readonly string[]): Promise<Outcome> {
  return run([bin, ...args], { cwd: folder });
}

const at = (name: string) => join(folder, "runs", name);

test("a run's figures are those of its log, and its state is what it looks like", async () => {
  const log = (await readFile(join(at("first"), "log.jsonl"), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const accuracies = log.flatMap(({ testAccuracy }) => (testAccuracy === undefined ? [] : [testAccuracy]));
  const found = await readRun(at("first"));
  const last = log.at(-1);
  assert.equal(found.bestAccuracy, Math.max(...accuracies));
  assert.equal(found.bestEpoch, log.find(({ testAccuracy }) => testAccuracy === found.bestAccuracy).epoch);
  assert.deepEqual([found.state, found.epoch, found.epochs, found.parameters], ["finished", 2, 2, 3594]);
  assert.deepEqual([found.trainLoss, found.seconds], [last.trainLoss, last.seconds]);
  assert.equal(found.examplesPerSecond, 400 / last.seconds);
  const open = await openRun(at("first"));
  assert.equal((await readRun(at("first"))).state, "running");
  await open.close();
  const stopped = join(folder, "stopped");
  await cp(at("first"), stopped, { recursive: true });
  await writeFile(join(stopped, "log.jsonl"), `${JSON.stringify(log[0])}\n`);
  assert.equal((await readRun(stopped)).state, "stopped");
  await writeFile(join(stopped, "log.jsonl"), "");
  const empty = await readRun(stopped);
  assert.deepEqual(
    [empty.state, empty.epoch, empty.bestAccuracy, empty.examplesPerSecond],
    ["stopped", 0, undefined, undefined],
  );
  // A process that is gone; looking changes nothing.
  await writeFile(join(stopped, "lock-999999999-x"), "");
  assert.equal(await lockHolder(stopped), undefined);
  assert.ok((await readdir(stopped)).includes("lock-999999999-x"));
  await rm(stopped, { recursive: true });
});

test("settings that differ are named with each value and who has it, and no others", async () => {
  const runs = await Promise.all(["first", "second"].map((name) => readRun(at(name))));
  const { differences, same } = compareSettings(runs);
  assert.deepEqual(differences, [
    {
      setting: "recipe.seed",
      values: [
        { value: String(runs[0]?.config.recipe.seed), runs: [at("first")] },
        { value: "7", runs: [at("second")] },
      ],
    },
  ]);
  assert.ok(same > 50);
  const all = compareSettings([...runs, await readRun(at(hostile))]);
  const values = new Map(
    all.differences.map(({ setting, values: found }) => [setting, found.map(({ value }) => value)]),
  );
  assert.deepEqual(values.get("recipe.epochs"), ["2", "1"]);
  assert.deepEqual(values.get("network.layers.conv1.kernelSize"), ["5", "–"]);
  assert.deepEqual(values.get("network.layers.fc2.outFeatures"), ["16", "10"]);
  assert.deepEqual(compareSettings([runs[0], runs[0]].flatMap((one) => one ?? [])).differences, []);
});

test("runs: in the order they were started, within 80 columns; damaged ones are named and do not hide the others", async () => {
  const { exit, stdout } = await alexnet("runs", "--json");
  assert.deepEqual(
    [exit, JSON.parse(stdout).map(({ name }: { name: string }) => name)],
    [0, ["first", "second", hostile].map((name) => `runs/${name}`)],
  );
  await mkdir(at("damaged"));
  await writeFile(join(at("damaged"), "config.json"), "{}");
  const listed = await alexnet("runs");
  await rm(at("damaged"), { recursive: true });
  assert.equal(listed.exit, 1);
  assert.match(listed.stderr, /damaged\/config\.json: not the configuration of a run/);
  assert.match(listed.stdout, /^first {2,}tiny {2,}fashion-mnist {2,}finished {2,}2 of 2 {2,}[\d.]+ % {2,}[\d,.]+$/m);
  const { runs } = await listRuns(join(folder, "runs"));
  const long = runs.map((one) => ({ ...one, name: "靴".repeat(99), network: "n".repeat(99), dataset: "d".repeat(99) }));
  for (const line of formatRunList(long).split("\n")) assert.ok(displayWidth(line) <= 80, line);
  assert.equal((await alexnet("runs", "data")).stdout, "data: no runs in it\n");
  const none = await alexnet("runs", "nowhere");
  assert.deepEqual([none.exit, none.stdout], [1, ""]);
  assert.match(none.stderr, /^alexnet: nowhere: expected a folder of runs/);
});

test("compare: in the terminal, as JSON, as a picture and as a page that shows what it is told and runs nothing", async () => {
  const [first, second, third] = ["runs/first", "runs/second", `runs/${hostile}`];
  const text = await alexnet("compare", first, second, third, "--output", "curves.png");
  assert.equal(text.exit, 0, text.stderr);
  for (const line of text.stdout.split("\n")) assert.ok(displayWidth(line) <= 80, line);
  assert.match(text.stdout, /^a: runs\/first {2,}2 of 2 /m);
  assert.match(text.stdout, /^ {2}- recipe\.seed: \d+ \(a, c\); 7 \(b\)$/m);
  assert.equal([...text.stdout.matchAll(/ % \* /g)].length >= 1, true, "the best is marked");
  assert.equal((await decodeImage(join(folder, "curves.png"))).width, 2 * (640 + 66 + 24));
  const json = JSON.parse((await alexnet("compare", first, second, "--json")).stdout);
  assert.deepEqual([json.runs.length, json.differences.length], [2, 1]);
  assert.equal((await alexnet("compare", first, third, "--output", "page.html")).exit, 0);
  const page = await readFile(join(folder, "page.html"), "utf8");
  assert.ok(page.includes("b: runs/&lt;b&gt;&amp;third") && !page.includes("<b>"));
  assert.match(page, /<h2>Settings that differ<\/h2>[\s\S]*recipe\.epochs: 2 \(a\); 1 \(b\)/);
  assert.doesNotMatch(page, /<script|https?:\/\/(?!www\.w3\.org)/);
  const refused = await alexnet("compare", first, "data");
  assert.deepEqual([refused.exit, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /data: expected a run directory/);
  assert.equal((await alexnet("compare", first, "--output", "page.txt")).exit, 1);
});

test("the curves of runs have a line each, a legend with the last accuracy, and titled axes", async () => {
  const log = (scale: number) =>
    [1, 2, 3].map((epoch) => ({
      epoch,
      trainLoss: scale / epoch,
      trainAccuracy: 0.5,
      testAccuracy: 0.3 * epoch * scale,
    }));
  const svg = await drawComparison([
    { name: "a: <one>", log: log(1) },
    { name: "b: two", log: log(0.5) },
    { name: "c: nothing yet", log: [] },
  ]);
  const texts = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
  for (const label of [
    "a: &lt;one&gt; 0.900",
    "b: two 0.450",
    "c: nothing yet –",
    "train loss",
    "test accuracy",
    "epoch",
  ]) {
    assert.ok(texts.includes(label), `${label}: ${texts.join(" | ")}`);
  }
  for (const color of ["#0072b2", "#d55e00"])
    assert.match(svg, new RegExp(`<path[^>]* d="M[^"]+L[^"]+"[^>]*stroke="${color}"`));
});
