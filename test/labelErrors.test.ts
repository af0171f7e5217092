/** Suspected label errors: a trained network finds labels that were exchanged on purpose. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openClassifier } from "../src/model/classifier.ts";
import { formatEvaluation } from "../src/report/tables/evaluation.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

let folder: string;
const at = (name: string) => join(folder, name);
/** Test images whose labels are exchanged: 6 of 200. */
const exchanged = [3, 40, 77, 120, 151, 199];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-labels-"));
  await mkdir(at("data"));
  await writeTinyDataset(at("data"), { train: 1600, test: 200 });
  const file = at("data/t10k-labels-idx1-ubyte");
  const bytes = await readFile(file);
  for (const image of exchanged) bytes[8 + image] = ((bytes[8 + image] as number) + 3) % 10;
  await writeFile(file, bytes);
  const options = { dataDir: at("data"), threads: 1, epochs: 4, batchSize: 16 };
  await trainClassifier({ ...options, network: tinyNetwork, run: at("run") });
});
after(() => rm(folder, { recursive: true }));

test("the suspects are the exchanged labels; the right class is suggested; report and text show them", async () => {
  const classifier = await openClassifier(at("run"), { threads: 1, batchSize: 64 });
  try {
    const evaluation = await classifier.evaluate();
    assert.ok(evaluation?.labelErrors);
    const { suspects, count, estimatedErrors } = evaluation.labelErrors;
    assert.ok(evaluation.top1Accuracy > 0.9, `${evaluation.top1Accuracy}: a network that recognizes the images`);
    const found = suspects.map(({ index }) => index);
    // One image may lie just below the mean probability of its class, which is above 0.99 here.
    assert.ok(found.length >= exchanged.length - 1, found.join());
    assert.ok(
      found.every((index) => exchanged.includes(index)),
      found.join(),
    );
    const { classNames } = classifier.model;
    for (const { className, suggested, margin } of suspects) {
      const given = classNames.indexOf(className);
      assert.equal(suggested, classNames[(given + 7) % 10]);
      assert.ok(margin < 0);
    }
    assert.ok(estimatedErrors >= 0.02 && estimatedErrors < 0.08, String(estimatedErrors));
    const text = formatEvaluation(evaluation);
    assert.ok(text.includes(`Suspected label errors: ${count} of 200 images`));
  } finally {
    await classifier.close();
  }
  const report = await readFile(at("run/report.html"), "utf8");
  assert.match(report, /<h2>Suspected label errors<\/h2>/);
  assert.match(report, /<p class="verdict">\? label<\/p>\s*<dl><dt>suggested<\/dt>/);
});
