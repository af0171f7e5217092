/** Cross-validation from end to end: folds are stratified, trained, resumed fold by fold, reported, and used as one model. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { loadModel } from "../src/checkpoint/model.ts";
import { listImageFolder } from "../src/dataset/folder/imageFolder.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { evaluateEnsemble } from "../src/model/evaluateEnsemble.ts";
import { loadEvaluationData } from "../src/model/evaluationData.ts";
import { predictFiles } from "../src/model/predictFiles.ts";
import { planFolds } from "../src/settings/foldPlans.ts";
import { type RunConfig, readRunConfig } from "../src/settings/runConfig.ts";
import { oneProcess } from "../src/trainer/processes.ts";
import { prepareRun } from "../src/trainer/runSetup.ts";
import { type TrainFoldsOptions, trainFolds } from "../src/trainer/trainFolds.ts";
import { colourNames, colourNetwork, colourPhoto } from "./colourPhotos.ts";
import { runMain } from "./mainOutput.ts";
import { testFolder } from "./testFolder.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";
import { writeFiles } from "./writeFiles.ts";

const images = 36;

const nameOf = (i: number) => `${String(i).padStart(4, "0")}.png`;
const labelOf = (i: number) => colourNames[i % 3] as string;

/** Rows of a table of labels, with the patient of each image. */
const rowsOf = (patientOf: (i: number) => string) =>
  Array.from({ length: images }, (_, i) => `${nameOf(i)},${labelOf(i)},${patientOf(i)}`);

const at = testFolder("folds", async (at) => {
  const all = [...Array(images).keys()];
  const photos = await Promise.all(
    all.map((i) =>
      colourPhoto([i % 3], i)
        .png()
        .toBuffer(),
    ),
  );
  await writeFiles(
    at("photos"),
    all.map((i) => [nameOf(i), photos[i] as Buffer]),
  );
  await writeFiles(
    at("others"),
    all.map((i) => [`${labelOf(i)}/${nameOf(i)}`, photos[i] as Buffer]),
  );
  const rows = rowsOf((i) => `p${Math.floor(i / 4)}`);
  await writeFile(at("labels.csv"), `image,label,patient\n${rows.join("\n")}\n`);
});

const options = () =>
  ({
    dataset: at("photos"),
    labels: at("labels.csv"),
    labelColumn: "label",
    network: colourNetwork,
    threads: 1,
    batchSize: 6,
    learningRate: 0.02,
    fit: "resize",
    augment: [],
    epochs: 6,
    folds: 3,
  }) as const satisfies TrainFoldsOptions;

/** Images that each fold holds out. */
async function heldOut(folds: number, layout: object = {}): Promise<readonly (readonly string[])[]> {
  const table = { labels: at("labels.csv"), labelColumn: "label", ...layout };
  const listings = Array.from({ length: folds }, (_, i) =>
    listImageFolder(at("photos"), { ...table, folds, fold: i + 1 }),
  );
  return (await Promise.all(listings)).map(({ train, validation = [], test }) => {
    assert.equal(train.length + validation.length, images);
    assert.equal(test, validation);
    return validation.map(({ path }) => path);
  });
}

test("folds are a partition, stratified, and keep groups together", async () => {
  const folds = await heldOut(4);
  assert.deepEqual([...new Set(folds.flat())].length, images);
  for (const fold of folds) {
    const counts = colourNames.map((name) => fold.filter((path) => labelOf(Number.parseInt(path, 10)) === name).length);
    assert.deepEqual(counts, [3, 3, 3]);
  }
  assert.deepEqual(await heldOut(4), folds, "the same on every call");
  const grouped = await heldOut(3, { groupColumn: "patient" });
  assert.deepEqual(new Set(grouped.flat()).size, images);
  const patients = grouped.map((fold) => new Set(fold.map((path) => Math.floor(Number.parseInt(path, 10) / 4))));
  assert.deepEqual(
    patients.map(({ size }) => size),
    [3, 3, 3],
  );
  assert.equal(new Set(patients.flatMap((each) => [...each])).size, 9, "no patient in two folds");
  await assert.rejects(
    heldOut(10, { groupColumn: "patient" }),
    /expected at least 10 groups, one for each fold, got 9/,
  );
  await writeFile(at("one.csv"), `image,label,patient\n${rowsOf(() => "p0").join("\n")}\n`);
  const oneGroup = { labels: at("one.csv"), labelColumn: "label", groupColumn: "patient" };
  await assert.rejects(
    listImageFolder(at("photos"), oneGroup),
    /expected at least two groups, .*, got one; choose another --group-column/,
  );
  await assert.rejects(listImageFolder(at("others"), { fold: 1 }), /fold: expected the number of folds, got none/);
  await assert.rejects(listImageFolder(at("others"), { folds: 3, fold: 4 }), /from 1 to 3, got 4/);
});

test("trained, reported, and used as one model; interrupted and resumed with the same weights", async () => {
  const seen: number[] = [];
  const result = await trainFolds({ ...options(), run: at("whole"), onFold: (fold) => seen.push(fold) });
  assert.deepEqual([seen, result.end, result.folds.length], [[1, 2, 3], "finished", 3]);
  const accuracies = result.folds.map(({ best }) => best?.testAccuracy ?? Number.NaN);
  const mean = accuracies.reduce((sum, value) => sum + value, 0) / 3;
  const deviation = Math.sqrt(accuracies.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2);
  assert.deepEqual(result.figures?.["accuracy"], { mean, deviation });
  const report = await readFile(at("whole/report.html"), "utf8");
  for (const text of ["fold-2/report.html", "deviation", "Epoch"]) assert.ok(report.includes(text), text);
  const config = await readRunConfig(at("whole/fold-2"));
  assert.deepEqual([config?.dataset.folds, config?.dataset.fold, config?.dataset.testImages], [3, 2, 12]);

  const stop = new AbortController();
  let fold = 0;
  const onFold = (n: number) => {
    fold = n;
  };
  const observer = { onEpoch: () => void (fold === 2 && stop.abort()) };
  const call = { ...options(), run: at("parts"), observer, signal: stop.signal };
  const stopped = await trainFolds({ ...call, onFold });
  assert.deepEqual([stopped.end, stopped.folds.length], ["interrupt", 2]);
  await assert.rejects(predictFiles(at("parts"), []).next(), /expected weights of 3 folds, got none of fold 3; resume/);
  await assert.rejects(trainFolds({ ...options(), run: at("parts") }), /parts already contains a run; add --resume/);
  await assert.rejects(
    trainFolds({ run: at("parts"), resume: true, learningRate: 1 }),
    /--learning-rate is 1, the run was started with 0.02/,
  );
  const resumed = await trainFolds({ run: at("parts"), resume: true });
  assert.deepEqual(
    resumed.folds.map(({ end }) => end),
    ["already finished", "finished", "finished"],
  );
  for (const n of [1, 2, 3]) {
    const weights = (run: string) => readFile(at(`${run}/fold-${n}/last.safetensors`));
    assert.deepEqual(await weights("parts"), await weights("whole"), `fold ${n}`);
  }
});

test("the folds of a fine-tuned network have the same settings, though not the same number of images", async () => {
  // 255 images have batches of 8, 256 have 16: 319 images in 5 folds leave 255 or 256.
  const from = at("single");
  const one = { dataset: at("others"), network: colourNetwork, threads: 1, trainLimit: 6, batchSize: 3, epochs: 1 };
  await trainWithoutReport({ ...one, fit: "resize", run: from });
  const photo = await readFile(at(`photos/${nameOf(0)}`));
  await writeFiles(
    at("many"),
    Array.from({ length: 319 }, (_, i) => [`${i % 2 ? "a" : "b"}/${i}.png`, photo] as const),
  );
  const { planOf } = await planFolds({ dataset: at("many"), threads: 1, from, folds: 5, run: at("many-folds") });
  const configs: RunConfig[] = [];
  for (let fold = 1; fold <= 5; fold++) {
    const { config, engine, dataset } = await prepareRun(await planOf(fold), { command: "", ...oneProcess });
    configs.push(config);
    engine.close();
    dataset.close?.();
  }
  assert.ok(new Set(configs.map(({ dataset }) => dataset.trainImages)).size > 1);
  assert.equal(new Set(configs.map(({ recipe: { epochs, batchSize } }) => `${epochs} ${batchSize}`)).size, 1);
});

test("the folder of folds is a model", async () => {
  const file = at(`photos/${nameOf(4)}`);
  const means = new Map<string, number>();
  for (const n of [1, 2, 3]) {
    const classifier = await openClassifier(at(`whole/fold-${n}`), { threads: 1 });
    for (const { className, probability } of await classifier.predict(file)) {
      means.set(className, (means.get(className) ?? 0) + probability / 3);
    }
    await classifier.close();
  }
  for await (const [prediction] of predictFiles(at("whole"), [file], { threads: 1 })) {
    assert.ok(prediction && "classes" in prediction);
    assert.equal(prediction.classes[0]?.className, labelOf(4));
    for (const { className, probability } of prediction.classes) {
      // Another batch size may use another kernel, which rounds f32 sums in another order.
      assert.ok(Math.abs(probability - (means.get(className) ?? 0)) < 1e-5);
    }
  }
  const evaluation = await evaluateEnsemble([at("whole")], { dataset: at("others"), threads: 1, batchSize: 6 });
  assert.deepEqual([evaluation?.runs.length, evaluation?.images], [3, images]);
  await assert.rejects(
    evaluateEnsemble([at("whole")], { threads: 1, batchSize: 6 }),
    /each fold of a run holds out its own/,
  );
  const refused = await runMain("evaluate", at("whole"), "--temperature", "fit");
  assert.deepEqual([refused.exit, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /whole contains 3 folds, each with a temperature .*; fit each, such as .*fold-1$/m);
  await assert.rejects(openClassifier(at("whole")), /contains the folds of a cross-validation.*such as .*fold-1/);
});

test("a fold's temperature is fitted on one half of the images that it holds out, and evaluated on the other", async () => {
  const run = at("whole/fold-2");
  const file = `${run}/best.safetensors`;
  const model = await loadModel(file);
  const halves = await Promise.all(
    (["fit", "rest"] as const).map((held) => loadEvaluationData(run, file, model, { held })),
  );
  const [fit = [], rest = []] = halves.map(({ split }) =>
    Array.from({ length: split.length }, (_, i) => split.path?.(i) ?? ""),
  );
  const held = (await heldOut(3))[1] ?? [];
  assert.deepEqual([...fit, ...rest].map((path) => path.slice(-nameOf(0).length)).sort(), [...held].sort());
  assert.deepEqual([fit.length, rest.length], [6, 6]);
  assert.deepEqual(
    halves.map(({ part }) => part),
    ["validation (one half; there are no test images) images", "validation (the other half) images"],
  );
  for (const { close } of halves) close();
});

test("command: progress names the fold, and the table has mean and deviation", async () => {
  await writeFile(at("net.json"), JSON.stringify(colourNetwork));
  const base = ["train", at("photos"), "--labels", at("labels.csv"), "--label-column", "label"];
  const settings = ["--network", at("net.json"), "--epochs", "1", "--threads", "1", "--fit", "resize"];
  const run = ["--run", at("command")];
  const trained = await runMain(...base, ...settings, ...run, "--folds", "2");
  assert.equal(trained.exit, 0, trained.stderr);
  assert.match(trained.stdout, /Fold +Training +Images +Epoch +Accuracy +Loss +Time/);
  assert.match(trained.stdout, /deviation/);
  assert.match(trained.stderr, /fold 2 of 2/);
  const again = await runMain("train", ...run, "--resume");
  assert.equal(again.exit, 0, again.stderr);
  const predicted = await runMain("predict", at("command"), at(`photos/${nameOf(0)}`), "--json");
  assert.equal(JSON.parse(predicted.stdout).classes.length, 3, predicted.stderr);
  const listed = await runMain("runs", at(""), "--json");
  const found = JSON.parse(listed.stdout).map(({ run }: { readonly run: string }) => run);
  assert.ok(found.includes(at("command/fold-2")), "runs lists the folds");
  const refused = await runMain("train", "cifar10", "--folds", "2", "--run", at("named"));
  assert.match(refused.stderr, /cifar10: --folds applies to folders and archives of images/);
});
