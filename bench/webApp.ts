/**
 * The browser app in headless Chromium against its goals: time to the first prediction of `alexnet-small` and from a drop to the answer, probabilities
 * against Node.js, training in a tab relative to the same engine in Node.js, test accuracy after 30 s, sizes. Medians; keep the machine idle.
 *
 *     node --import tsx bench/webApp.ts [--rounds 5] [--seconds 8] [--only answer,training,size] [--json]
 */
/// <reference lib="dom" />
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { writeWebFile, writeWebFolder } from "../src/exchange/writeWeb.ts";
import { readImageInput } from "../src/image/files/imageInput.ts";
import { type Classifier, openClassifier } from "../src/model/classifier.ts";
import { readModel, writeModel } from "../src/model/modelFile.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { spread } from "../src/report/tables/spread.ts";
import { launchChromium } from "../test/browser.ts";
import { modelOf, writeDrawn } from "../test/drawnModel.ts";
import { hostFolder } from "../test/hostedApp.ts";
import { isolation } from "../test/localServer.ts";
import { root } from "../test/sourceFiles.ts";
import { openRecorded, type PageRecord, recordOf } from "./webRecord.ts";
import { measureTraining } from "./webTraining.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "8" },
    only: { type: "string", default: "answer,training,size" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(flags.rounds);
/** Milliseconds of training in the tab and in Node.js, in turn. */
const turn = 1000 * Number(flags.seconds);
const ACCURACY_SECONDS = 30;
/** Drops after which the median is taken. */
const DROPS = 15;
/** Factor of the last layer. */
const SHARPNESS = 60;
/** Milliseconds between drops: the activations are painted after an answer. */
const PAUSE = 600;

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: string;
  readonly isMet?: boolean;
}

const rows: Row[] = [];
const atMost = (name: string, value: number, unit: string, goal: number) =>
  rows.push({ name, value, unit, goal: `≤ ${goal}`, isMet: value <= goal });
const atLeast = (name: string, value: number, unit: string, goal: number) =>
  rows.push({ name, value, unit, goal: `≥ ${goal}`, isMet: value >= goal });

const folder = await mkdtemp(join(tmpdir(), "alexnet-web-bench-"));
const small = join(folder, "small.safetensors");
const site = join(folder, "site");
const loads = [loadavg()[0] ?? 0];
await writeSmall();
await writeWebFolder([small], site);
const host = await hostFolder(site, isolation);
const browser = await launchChromium();
try {
  const parts = { answer: measureAnswers, training: measureTabs, size: measureSizes };
  for (const [name, measure] of Object.entries(parts)) if (flags.only.split(",").includes(name)) await measure();
} finally {
  await browser.close();
  host.close();
  await rm(folder, { recursive: true });
}
loads.push(loadavg()[0] ?? 0);
print();

/** A network of random weights with a last layer so large that probabilities differ, as in a trained network. */
async function writeSmall(): Promise<void> {
  await writeDrawn(modelOf(findNetwork("alexnet-small")), small);
  const model = await readModel(small);
  const last = (values: Float32Array) => values.map((value) => SHARPNESS * value);
  const weights = new Map([...model.weights].map(([name, v]) => [name, name.startsWith("fc8.") ? last(v) : v]));
  await writeModel(small, { ...model, weights });
}

async function measureAnswers(): Promise<void> {
  const files = await writeImages();
  const first: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const page = await openRecorded(browser, `${host.url}/`, await readFile(files[0] as string));
    await page.locator(".classes tbody tr").nth(4).waitFor();
    first.push((await recordOf(page)).answers[0] ?? Number.NaN);
    await page.context().close();
  }
  atMost("first prediction, from the start of the page load", spread(first).median / 1000, "s", 1.5);

  const page = await openRecorded(browser, `${host.url}/`);
  await page.locator(".status", { hasText: "parameters" }).waitFor();
  const times: number[] = [];
  const difference = { png: 0, jpeg: 0 };
  let levels = 0;
  let probability = 0;
  const classifier = await openClassifier(small);
  for (let i = 0; i < Math.max(DROPS, files.length); i++) {
    const file = files[i % files.length] as string;
    const { milliseconds, classes } = await drop(page, await readFile(file));
    times.push(milliseconds);
    const kind = file.endsWith(".png") ? "png" : "jpeg";
    difference[kind] = Math.max(difference[kind], await differenceFrom(classifier, file, classes));
    probability = Math.max(probability, classes[0]?.probability ?? 0);
    if (kind === "jpeg" && i < files.length) levels = Math.max(levels, await levelDifference(page, file));
  }
  await classifier.close();
  await page.context().close();
  atMost("from a drop to the answer", spread(times).median, "ms", 150);
  atMost("largest difference of a probability from Node.js, PNG", difference.png, "", 1e-4);
  rows.push({ name: "largest difference of a probability from Node.js, JPEG", value: difference.jpeg, unit: "" });
  rows.push({ name: "largest difference of a level from Node.js, JPEG", value: levels, unit: "of 255" });
  rows.push({ name: "largest probability", value: probability, unit: "" });
}

/** Parts of a photo as PNG and JPEG files, with and without subsampled colour. */
async function writeImages(): Promise<readonly string[]> {
  const photo = await sharp(join(root, "test/golden/raccoon.jpg")).raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = photo.info;
  const part = { width: width >> 1, height: height >> 1 };
  const written: string[] = [];
  for (const [i, [left, top]] of [[0, 0] as const, [part.width, part.height] as const].entries()) {
    const image = sharp(photo.data, { raw: { width, height, channels } }).extract({ left, top, ...part });
    const contents = [
      ["png", image.clone().png()],
      ["420.jpg", image.clone().jpeg({ quality: 90 })],
      ["444.jpg", image.clone().jpeg({ quality: 90, chromaSubsampling: "4:4:4" })],
    ] as const;
    for (const [ending, content] of contents) {
      const file = join(folder, `${i}.${ending}`);
      await writeFile(file, await content.toBuffer());
      written.push(file);
    }
  }
  return written;
}

type Classes = PageRecord["predictions"][number];

/** Drops an image, and waits for its classes. */
async function drop(
  page: Page,
  bytes: Uint8Array,
): Promise<{ readonly milliseconds: number; readonly classes: Classes }> {
  const { answers } = await recordOf(page);
  const began = await page.evaluate(
    (content) => (globalThis as unknown as { drop(bytes: number[]): number }).drop(content),
    [...bytes],
  );
  for (;;) {
    await page.waitForTimeout(PAUSE);
    const record = await recordOf(page);
    const [answer, classes] = [record.answers.at(-1), record.predictions.at(-1)];
    if (record.answers.length === answers.length || answer === undefined || !classes) continue;
    return { milliseconds: answer - began, classes };
  }
}

async function differenceFrom(classifier: Classifier, file: string, classes: Classes): Promise<number> {
  const own = new Map((await classifier.predict(file)).map(({ className, probability }) => [className, probability]));
  return Math.max(...classes.map(({ className, probability }) => Math.abs(probability - (own.get(className) ?? 0))));
}

/** Largest difference between the levels that Chromium and Node.js decode. */
async function levelDifference(page: Page, file: string): Promise<number> {
  const own = await readImageInput(file);
  const decoded = await page.evaluate(
    async (bytes) => {
      const blob = new Blob([Uint8Array.from(bytes)]);
      const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      context?.drawImage(bitmap, 0, 0);
      const { data } = context?.getImageData(0, 0, bitmap.width, bitmap.height) ?? { data: [] };
      return [...data].filter((_, i) => i % 4 !== 3);
    },
    [...(await readFile(file))],
  );
  return own.data.reduce((most, level, i) => Math.max(most, Math.abs(level - (decoded[i] ?? Number.NaN))), 0);
}

async function measureTabs(): Promise<void> {
  const options = { rounds, turn, accuracyAfter: 1000 * ACCURACY_SECONDS };
  const { tab, node, ratio, accuracy } = await measureTraining(browser, `${host.url}/#train`, options);
  rows.push({ name: "training in a tab", value: tab, unit: "images/s" });
  rows.push({ name: "training in Node.js, same engine", value: node, unit: "images/s" });
  atLeast("training in a tab ÷ in Node.js", ratio, "", 0.6);
  const name = `test accuracy of a run that is paused ${ACCURACY_SECONDS} s after its start`;
  atLeast(name, 100 * accuracy, "%", 40);
}

async function measureSizes(): Promise<void> {
  const scripts = await Promise.all(["index.html", "offline.js"].map((name) => readFile(join(site, name))));
  const zipped = scripts.reduce((sum, script) => sum + gzipSync(script, { level: 9 }).length, 0);
  atMost("all script, gzipped", zipped / 1000, "kB", 250);
  const single = join(folder, "small.html");
  await writeWebFile(small, single);
  atMost("single file of alexnet-small", (await stat(single)).size / 1e6, "MB", 10);
}

function print(): void {
  const machine = { processor: cpus()[0]?.model, cores: availableParallelism(), loads, node: process.version };
  if (flags.json) {
    console.log(JSON.stringify({ ...machine, rows }, undefined, 2));
    return;
  }
  const [before = 0, after = 0] = loads;
  const load = `load ${before.toFixed(1)} before, ${after.toFixed(1)} after`;
  console.log(
    `${machine.processor}, ${machine.cores} cores, Node.js ${machine.node}; ${load}; median of ${rounds} rounds\n`,
  );
  for (const { name, value, unit, goal = "", isMet } of rows) {
    const shown = `${Number(value.toPrecision(3))} ${unit}`.trim();
    console.log(
      `${name.padEnd(60)}${shown.padStart(16)}  ${goal.padEnd(8)}  ${isMet === false ? "missed" : ""}`.trimEnd(),
    );
  }
}
