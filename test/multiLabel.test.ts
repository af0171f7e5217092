/** Several labels an image from end to end: three layouts of tables trained on, evaluated, resumed, predicted, exported. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { loadModel } from "../src/checkpoint/model.ts";
import { readLog } from "../src/checkpoint/runLog.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { evaluateEnsemble } from "../src/model/evaluateEnsemble.ts";
import { createLiveRun } from "../src/runs/liveRun.ts";
import { readRunConfig } from "../src/settings/runConfig.ts";
import { type TrainOptions, trainClassifier } from "../src/trainer/trainClassifier.ts";
import { colourNames, colourNetwork, colourPhoto } from "./colourPhotos.ts";
import { runMain } from "./mainOutput.ts";
import { testFolder } from "./testFolder.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";
import { writeFiles } from "./writeFiles.ts";

const images = 64;

const nameOf = (i: number) => String(i).padStart(4, "0");
/** Every subset of the colours, none included. */
const coloursOf = (i: number) => [0, 1, 2].filter((c) => (i >> c) & 1);
const labelsOf = (i: number) => coloursOf(i).map((c) => colourNames[c] as string);
const isTest = (i: number) => i >= 48;

const at = testFolder("labels", async (at) => {
  const all = [...Array(images).keys()];
  const files = await Promise.all(
    all.map(async (i) => [`${nameOf(i)}.png`, await colourPhoto(coloursOf(i), i).png().toBuffer()] as const),
  );
  await writeFiles(at("photos"), files);
  const split = (i: number) => (isTest(i) ? "test" : i % 5 === 0 ? "val" : "train");
  const table = (header: string, row: (i: number) => string) => `${header}\n${all.map(row).join("\n")}\n`;
  const cells = (i: number) => colourNames.map((_, c) => (i >> c) & 1).join(",");
  const separated = table("id,tags,split", (i) => `${nameOf(i)},${labelsOf(i).join(" | ")},${split(i)}`);
  await writeFile(at("separated.csv"), separated);
  await writeFile(
    at("columns.csv"),
    table(`id,split,${colourNames.join(",")}`, (i) => `${nameOf(i)},${split(i)},${cells(i)}`),
  );
  const lines = all.map((i) =>
    JSON.stringify({ file_name: `${nameOf(i)}.png`, labels: labelsOf(i), patient: String(i >> 1) }),
  );
  await writeFile(at("lists.jsonl"), lines.join("\n"));
});

const common = {
  network: colourNetwork,
  threads: 1,
  batchSize: 8,
  learningRate: 0.05,
  fit: "resize",
  augment: [],
  epochs: 30,
} as const satisfies TrainOptions;

const separated = { labels: () => at("separated.csv"), labelColumn: "tags", labelSeparator: "|" } as const;

function trainSeparated(run: string, options: TrainOptions = {}) {
  const { labels, ...columns } = separated;
  return trainClassifier({ ...common, dataset: at("photos"), labels: labels(), ...columns, run: at(run), ...options });
}

test("labels between separators: trained, stored, evaluated, predicted", async () => {
  const messages: string[] = [];
  const observer = { onMessage: (message: string) => messages.push(message) };
  const result = await trainSeparated("run", { observer, thresholds: "fitted" });
  assert.ok(messages.some((message) => message.includes('labels from column "tags", separated by "|"')));
  const config = await readRunConfig(at("run"));
  assert.equal(config?.head, "sigmoid");
  assert.deepEqual(config?.dataset.classNames, colourNames);
  const trained = [...Array(48).keys()].filter((i) => i % 5 !== 0);
  const counts = colourNames.map((_, c) => trained.filter((i) => (i >> c) & 1).length);
  assert.deepEqual(config?.dataset.trainImagesPerClass, counts);
  assert.equal(result.last?.testAccuracy, 1, "exact match of every validation image");
  assert.equal(result.last?.testMeanAveragePrecision, 1);
  const model = await loadModel(at("run/best.safetensors"));
  assert.deepEqual([model.head, model.thresholds?.length], ["sigmoid", 3]);
  const classifier = await openClassifier(at("run"), { threads: 1 });
  try {
    const evaluation = await classifier.evaluate();
    assert.deepEqual(evaluation?.multiLabel?.threshold, model.thresholds);
    assert.deepEqual([evaluation?.images, evaluation?.multiLabel?.exactMatch], [16, 1]);
    assert.deepEqual(evaluation?.confusion, []);
    const columns = { labels: at("columns.csv"), labelColumns: colourNames };
    assert.equal((await classifier.evaluate(columns))?.multiLabel?.exactMatch, 1, "instead of the run's column");
    const others = [...Array(images).keys()].filter((i) => !coloursOf(i).includes(0));
    await writeFile(
      at("others.csv"),
      ["id,tags", ...others.map((i) => `${nameOf(i)},${labelsOf(i).join("|")}`)].join("\n"),
    );
    const fewer = { dataset: at("photos"), labels: at("others.csv"), labelColumn: "tags", labelSeparator: "|" };
    const ofTwo = await classifier.evaluate(fewer);
    assert.equal(ofTwo?.multiLabel?.exactMatch, 1, "labels are matched by name");
    for (const i of [0, 3, 7]) {
      const classes = await classifier.predict(at(`photos/${nameOf(i)}.png`));
      const present = classes.filter(({ isPresent }) => isPresent).map(({ className }) => className);
      assert.deepEqual(present.sort(), labelsOf(i));
    }
    const [first] = await classifier.predict(at("photos/0000.png"));
    assert.equal(first?.isPresent, false);
    const [same] = await classifier.predict(at("photos/0000.png"), { threshold: (first?.probability ?? 0) / 2 });
    assert.equal(same?.isPresent, true, "a given threshold replaces the stored ones");
  } finally {
    await classifier.close();
  }
  const report = await readFile(at("run/report.html"), "utf8");
  for (const text of ["Each label", "Precision-recall curves", "mean average precision", "exact match"]) {
    assert.ok(report.includes(text), text);
  }
  assert.ok(!report.includes("Confusion matrix"));
  assert.match(report, /<dt>exact match at fitted thresholds(, best [^<]*)?<\/dt>/);
  assert.match(report, /<dt>train exact match at 50\.0 %, epoch<\/dt>/);
  // Evaluations in training use a threshold of 0.5, also if thresholds are fitted.
  const { page } = await (await createLiveRun(at("run"))).view();
  assert.match(page, /Exact match at 50\.0 % on the validation images/);
  for (const text of ["train exact match", "test exact match", "Loss and exact match at 50.0 % against epoch"]) {
    for (const each of [report, page]) assert.ok(each.includes(text), text);
  }
  for (const text of ["train accuracy", "test accuracy", "validation accuracy", "Loss and accuracy"]) {
    for (const each of [report, page]) assert.ok(!each.includes(text), text);
  }
});

test("columns of 0 and 1 and lists of labels give the same run, bit for bit", async () => {
  const short = { epochs: 2 };
  await trainSeparated("short", short);
  const messages: string[] = [];
  const observer = { onMessage: (message: string) => messages.push(message) };
  const options = { ...common, ...short, dataset: at("photos"), observer };
  await trainWithoutReport({ ...options, labels: at("columns.csv"), run: at("columns") });
  assert.ok(messages.some((message) => message.includes('labels from 3 columns of 0 and 1, "blue" … "red"')));
  const best = (run: string) => readFile(at(`${run}/best.safetensors`));
  assert.deepEqual(await best("columns"), await best("short"));
  await trainWithoutReport({ ...options, labels: at("lists.jsonl"), groupColumn: "patient", run: at("lists") });
  assert.ok(messages.some((message) => message.includes('labels from the lists in column "labels", groups from')));
  assert.deepEqual((await readRunConfig(at("lists")))?.dataset.classNames, colourNames);
});

test("a resumed run ends with the same weights, bit for bit", async () => {
  const options = { epochs: 4, mixup: 0.4, cutmix: 1, labelSmoothing: 0.1, positiveWeights: "balanced" } as const;
  await trainSeparated("whole", options);
  const stop = new AbortController();
  const observer = {
    onProgress: ({ images }: { readonly images: number }) => {
      if (images > 60) stop.abort();
    },
  };
  const stopped = await trainSeparated("parts", { ...options, signal: stop.signal, observer });
  assert.equal(stopped.end, "interrupt");
  await trainWithoutReport({ run: at("parts"), resume: true });
  const last = (run: string) => readFile(at(`${run}/last.safetensors`));
  assert.deepEqual(await last("parts"), await last("whole"));
  const figures = async (run: string) =>
    (await readLog(at(run))).map(({ trainLoss, testLoss, testMeanAveragePrecision }) => [
      trainLoss,
      testLoss,
      testMeanAveragePrecision,
    ]);
  assert.deepEqual(await figures("parts"), await figures("whole"));
});

test("settings for one class per image are refused by name, and those for several labels too", async () => {
  await assert.rejects(trainSeparated("refused", { classWeights: "balanced" }), {
    name: "ConfigError",
    message: /^classWeights: does not apply to .*, which has several labels per image; use --positive-weights$/,
  });
  await assert.rejects(trainSeparated("refused", { sampler: "balanced" }), /^ConfigError: sampler: does not apply/);
  const single = { ...common, dataset: at("photos"), labels: at("columns.csv"), run: at("refused") };
  const one = { ...single, labelColumn: "red" };
  await assert.rejects(trainClassifier({ ...one, thresholds: "fitted" }), /thresholds: does not apply to .*one class/);
  await assert.rejects(trainClassifier({ ...one, positiveWeights: 2 }), /positiveWeights: does not apply/);
  await trainWithoutReport({ ...one, epochs: 1, run: at("single") });
  assert.equal((await readRunConfig(at("single")))?.head, undefined);
  const classifier = await openClassifier(at("single"), { threads: 1 });
  const table = { dataset: at("photos"), labels: at("separated.csv"), labelColumn: "tags", labelSeparator: "|" };
  await assert.rejects(classifier.evaluate(table), /expected one class per image, as colours was trained on/);
  await classifier.close();
});

test("an ensemble averages probabilities and thresholds", async () => {
  const evaluation = await evaluateEnsemble([at("run"), at("whole")], { threads: 1, batchSize: 8 });
  const { thresholds = [] } = await loadModel(at("run/best.safetensors"));
  assert.deepEqual(
    evaluation?.multiLabel?.threshold,
    thresholds.map((threshold) => (threshold + 0.5) / 2),
  );
  assert.equal(evaluation?.runs[0]?.top1Accuracy, 1, "exact match of the first run");
  const alone = new Set<number>();
  for (const options of [{}, { threshold: 0.9 }, { threshold: 0.999 }]) {
    const both = await evaluateEnsemble([at("run"), at("whole")], { threads: 1, batchSize: 8, ...options });
    for (const [i, run] of ["run", "whole"].entries()) {
      const classifier = await openClassifier(at(run), { threads: 1, batchSize: 8 });
      const { multiLabel } = (await classifier.evaluate(options).finally(() => classifier.close())) ?? {};
      assert.equal(both?.runs[i]?.top1Accuracy, multiLabel?.exactMatch, `${run} at its own thresholds`);
      alone.add(multiLabel?.exactMatch ?? -1);
    }
  }
  assert.ok(alone.size > 2, "thresholds make a difference");
  const mixed = evaluateEnsemble([at("run"), at("single")], { threads: 1, batchSize: 8 });
  await assert.rejects(mixed, /expected the head of the first run, /);
});

test("commands: evaluate, predict, check, ONNX with probabilities", async () => {
  const evaluated = await runMain("evaluate", at("run"), "--plots", at("plots"), "--csv", at("all.csv"));
  assert.equal(evaluated.exit, 0, evaluated.stderr);
  assert.match(evaluated.stdout, /exact match at fitted thresholds +100(\.0)? %/);
  const together = await runMain("evaluate", at("run"), at("whole"));
  assert.match(together.stdout, /^Run +Network +Exact match$/m);
  assert.match(evaluated.stdout, /Class +Images +Precision +Recall +95 % +F1 +AP +Threshold/);
  assert.match(await readFile(at("all.csv"), "utf8"), /,blue; green; red,blue; green; red,/);
  assert.match(await readFile(at("plots/precision-recall.svg"), "utf8"), /mean AP 100/);
  const predicted = await runMain("predict", at("run"), at("photos/0003.png"), "--top", "1", "--json");
  const [{ classes }] = JSON.parse(predicted.stdout);
  assert.deepEqual(
    classes.map(({ className }: { className: string }) => className).sort(),
    ["blue", "green"],
    "every present label, beyond --top",
  );
  const many = await runMain("predict", at("run"), at("photos"), "--csv", "-");
  const lines = many.stdout.split("\r\n");
  assert.equal(lines[0], "file,class,probability,class_2,probability_2,class_3,probability_3,present");
  assert.ok(
    lines.some((line) => /0007\.png,.*,blue; green; red$/.test(line)),
    many.stdout,
  );
  assert.ok(
    lines.some((line) => /0000\.png,.*,$/.test(line)),
    "no label",
  );
  const checked = await runMain(
    "check",
    at("photos"),
    "--labels",
    at("separated.csv"),
    "--label-column",
    "tags",
    "--label-separator",
    "|",
  );
  assert.match(checked.stdout, /images without labels +4 +2 +2/);
  const exported = await runMain("export", at("run"), "--output", at("m.onnx"), "--probabilities");
  assert.equal(exported.exit, 0, exported.stderr);
  const foreign = await runMain(
    "evaluate",
    at("m.onnx"),
    "--dataset",
    at("photos"),
    "--labels",
    at("columns.csv"),
    "--json",
  );
  assert.equal(JSON.parse(foreign.stdout).multiLabel.exactMatch, 1, foreign.stderr);
});
