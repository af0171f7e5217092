/** Comparison of runs: paired test by their predictions, and spread over random seeds. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { compareRuns } from "../src/runs/compareRuns.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { mcnemar } from "../src/training/evaluation/pairedTest.ts";
import { spreadOf } from "../src/training/evaluation/spread.ts";
import { runMain } from "./mainOutput.ts";
import { tinyNetwork, wideNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
const at = (name: string) => join(folder, name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-compared-"));
  await mkdir(at("data"));
  await writeTinyDataset(at("data"), { train: 320, test: 60 });
  const options = { dataDir: at("data"), threads: 1, epochs: 1, batchSize: 16 };
  await trainClassifier({ ...options, network: tinyNetwork, seed: 1, run: at("a") });
  await trainClassifier({ ...options, network: tinyNetwork, seed: 2, run: at("b") });
  await trainClassifier({ ...options, network: wideNetwork, seed: 1, run: at("c") });
});
after(() => rm(folder, { recursive: true }));

/** True for each recognized image of a run. The class names of the data set need no quotes. */
async function recognized(run: string): Promise<readonly boolean[]> {
  const [, ...lines] = (await readFile(at(`${run}/predictions.csv`), "utf8")).trimEnd().split("\r\n");
  return lines.map((line) => {
    const [, , label, predicted] = line.split(",");
    return label === predicted;
  });
}

test("the paired test is McNemar's of the stored predictions; runs of two seeds have mean and deviation", async () => {
  const { paired, seeds, runs } = await compareRuns(["a", "b", "c"].map(at));
  const [a = [], b = []] = await Promise.all(["a", "b"].map(recognized));
  const onlyFirst = a.filter((own, i) => own && !b[i]).length;
  const onlySecond = b.filter((own, i) => own && !a[i]).length;
  const names = { first: "A", second: "B" };
  assert.equal(a.length, 60);
  assert.deepEqual(paired[0], {
    ...names,
    ...{ images: 60, onlyFirst, onlySecond, pValue: mcnemar(onlyFirst, onlySecond) },
  });
  assert.equal(
    a.filter(Boolean).length / 60,
    runs[0]?.bestAccuracy,
    "the report's predictions are of the best weights",
  );
  assert.equal(paired.length, 2);
  assert.deepEqual(
    seeds.map(({ letters, seeds: own }) => [letters, own]),
    [
      [
        ["A", "B"],
        ["1", "2"],
      ],
    ],
  );
  assert.deepEqual(seeds[0]?.bestAccuracy, spreadOf([runs[0]?.bestAccuracy ?? 0, runs[1]?.bestAccuracy ?? 0]));
});

test("without predictions, or of other images, the reason stands in place of a number; evaluate writes them", async () => {
  const whole = await readFile(at("b/predictions.csv"), "utf8");
  await rm(at("b/predictions.csv"));
  await writeFile(at("c/predictions.csv"), whole.replace(/^0,,[^,]*/m, "0,,other"));
  const [missing, other] = (await compareRuns(["a", "b", "c"].map(at))).paired;
  assert.ok(missing && "problem" in missing && other && "problem" in other);
  assert.match(other.problem, /^A and C: no paired test: they were evaluated on different images$/);
  const command = /alexnet (evaluate .*)$/.exec(missing.problem)?.[1] ?? "";
  const { exit, stderr } = await runMain(...command.split(" "));
  assert.equal(exit, 0, stderr);
  // Probabilities of other batch sizes differ in their last digits.
  const classes = (text: string) => text.replaceAll(/,[\d.e-]+,[\d.e-]+\r\n/g, "\n");
  assert.equal(classes(await readFile(at("b/predictions.csv"), "utf8")), classes(whole));
});
