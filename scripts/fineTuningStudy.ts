/**
 * Compares fine-tuning with training from scratch on few images, and measures the time that cached features save. Trains a network on the first half
 * of a folder's classes, then on 20 images of each other class, from scratch and from its weights. Prints the table of docs/results.md.
 *
 * `node --import tsx scripts/fineTuningStudy.ts PNG-FOLDER OUT-FOLDER [--network NAME] [--pretrained RUN] [--pretrain-epochs N]
 * [--pretrain-images N] [--epochs N] [--batch-size N] [--images N] [--test-limit N] [--seeds N] [--views N] [--fit NAME] [--input-size N]
 * [--defaults]`. PNG-FOLDER contains class folders under train/ and test/, as written by scripts/exportImages.ts and scripts/madeSets.ts. Images are
 * linked, not copied. Finished runs are not repeated. `--defaults` compares `--from` without further flags with the alternatives: frozen
 * convolutions, the recipe's own epochs and batches, and training from scratch as long as the defaults took.
 */
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import * as z from "zod";
import { fitNames } from "../src/image/prepare/fit.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { fineTuningDefaults } from "../src/settings/fineTuningDefaults.ts";
import { type TrainOptions, trainClassifier } from "../src/trainer/trainClassifier.ts";
import { findRecipe } from "../src/training/recipe.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    network: { type: "string", default: "alexnet-small" },
    pretrained: { type: "string" },
    "pretrain-epochs": { type: "string", default: "10" },
    epochs: { type: "string", default: "40" },
    "batch-size": { type: "string", default: "10" },
    images: { type: "string", default: "20" },
    "test-limit": { type: "string", default: "1000" },
    seeds: { type: "string", default: "3" },
    views: { type: "string", default: "8" },
    "pretrain-images": { type: "string" },
    fit: { type: "string", default: "native" },
    "input-size": { type: "string" },
    defaults: { type: "boolean", default: false },
  },
});
const [source, out] = positionals;
if (source === undefined || out === undefined) throw new Error("expected PNG-FOLDER and OUT-FOLDER");
const { network } = values;
const fit = z.enum(fitNames).parse(values.fit);
const sized = values["input-size"] === undefined ? {} : { inputSize: Number(values["input-size"]) };
const number = (key: Exclude<keyof typeof values, "network" | "pretrained" | "fit" | "defaults">) =>
  Number(values[key]);
const classes = (await readdir(join(source, "train"))).sort();
const half = Math.ceil(classes.length / 2);
const pretrainImages = values["pretrain-images"] === undefined ? undefined : number("pretrain-images");
const old = await linkFolder("old", classes.slice(0, half), pretrainImages);
const few = await linkFolder("few", classes.slice(half), number("images"));
const recipe = { ...findRecipe("small"), schedule: { kind: "constant" } as const, batchSize: number("batch-size") };
const pretrained =
  values.pretrained ??
  (await train("pretrained", { ...sized, dataset: old, recipe: "small", network, epochs: number("pretrain-epochs") }))
    .run;

const given = { recipe, epochs: number("epochs") };
const usual: Readonly<Record<string, TrainOptions>> = {
  "from scratch": { network, augment: ["flip", "shift"] },
  "--freeze none": { from: pretrained, augment: ["flip", "shift"] },
  "--freeze conv": { from: pretrained, freeze: ["conv"] },
  "--freeze conv --kept-views 0 --augment none": { from: pretrained, freeze: ["conv"], keptViews: 0, augment: [] },
  [`--freeze conv --kept-views ${number("views")} --augment flip,shift`]: {
    from: pretrained,
    freeze: ["conv"],
    keptViews: number("views"),
    augment: ["flip", "shift"],
  },
};
const alternatives: Readonly<Record<string, TrainOptions>> = {
  "--from alone": { from: pretrained },
  "--freeze conv": { from: pretrained, freeze: ["conv"] },
  "--freeze conv, three times the epochs": { from: pretrained, freeze: ["conv"], epochs: 3 * sizedEpochs() },
  "--old-layers-rate 1": { from: pretrained, oldLayersRate: 1 },
  "--recipe small": { from: pretrained, recipe: "small" },
  "from scratch, the recipe small for as many epochs": {
    ...sized,
    network,
    recipe: "small",
    epochs: sizedEpochs(),
    batchSize: fineTuningDefaults(trainedImages()).batchSize,
  },
};
// Without augmentation, which would change the classes of some sets.
const ways = values.defaults
  ? Object.fromEntries(Object.entries(alternatives).map(([name, way]) => [name, { augment: [], ...way }]))
  : Object.fromEntries(Object.entries(usual).map(([name, way]) => [name, { ...given, ...way }]));
console.log("| run | seed | test accuracy, all images | seconds of steps | total seconds |");
console.log("| --- | --- | --- | --- | --- |");
for (let seed = 0; seed < number("seeds"); seed++) {
  for (const [name, way] of Object.entries(ways)) {
    const settings = { ...way, dataset: few, testLimit: number("test-limit"), seed };
    const { run, steps, wall } = await train(`${name.replaceAll(/[^\w]+/g, "-")}-${seed}`, settings);
    const classifier = await openClassifier(join(run, "last.safetensors"), { batchSize: 100 });
    const evaluation = await classifier.evaluate({ dataset: few });
    classifier.close();
    const accuracy = `${(100 * (evaluation?.top1Accuracy ?? Number.NaN)).toFixed(1)} %`;
    console.log(`| ${name} | ${seed} | ${accuracy} | ${steps.toFixed(1)} | ${wall.toFixed(1)} |`);
  }
}

/** Number of images of the fine-tuned classes. */
function trainedImages(): number {
  return number("images") * (classes.length - half);
}

/** Epochs of the defaults: training all layers for as many takes the same time. */
function sizedEpochs(): number {
  return fineTuningDefaults(trainedImages()).epochs;
}

/** Links to some of the classes, with all of their test images. */
async function linkFolder(name: string, names: readonly string[], images: number | undefined): Promise<string> {
  const folder = resolve(out as string, name);
  for (const part of ["train", "test"]) {
    for (const className of names) {
      const from = resolve(source as string, part, className);
      const files = (await readdir(from)).sort().slice(0, part === "train" ? images : undefined);
      await mkdir(join(folder, part, className), { recursive: true });
      const linked = new Set(await readdir(join(folder, part, className)));
      for (const file of files)
        if (!linked.has(file)) await symlink(join(from, file), join(folder, part, className, file));
    }
  }
  return folder;
}

/** Trains, and stores the duration next to the run for later calls. */
async function train(name: string, options: TrainOptions) {
  const run = resolve(out as string, "runs", name);
  const began = performance.now();
  const { last, end } = await trainClassifier({
    ...(options.from === undefined ? { fit } : {}),
    ...options,
    run,
    resume: true,
  });
  const timeFile = join(run, "wall.json");
  if (end !== "already finished") await writeFile(timeFile, JSON.stringify((performance.now() - began) / 1000));
  return { run, steps: last?.seconds ?? Number.NaN, wall: JSON.parse(await readFile(timeFile, "utf8")) as number };
}
