import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { countCalibration } from "../training/evaluation/calibration.ts";
import { countConfusion } from "../training/evaluation/confusion.ts";
import { drawCalibration, drawClasses, drawConfusion } from "./charts/evaluationCharts.ts";
import { drawMap } from "./charts/mapChart.ts";
import { drawPace, paceOf } from "./charts/paceChart.ts";
import { toPng } from "./figures/png.ts";

/** Texts of an SVG, in its order. */
function textsOf(svg: string): readonly string[] {
  return [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => (text as string).replaceAll("&amp;", "&"));
}

/** Class c is taken for the next one c times of 40. */
function confusionOf(classes: number) {
  const counter = countConfusion(Array.from({ length: classes }, (_, c) => `class & ${c}`));
  for (let c = 0; c < classes; c++) for (let i = 0; i < 40; i++) counter.add(c, i < c % 40 ? (c + 1) % classes : c);
  return counter.result();
}

test("confusion: every class on both axes, every count in its cell, what is right on the diagonal", async () => {
  const svg = await drawConfusion(confusionOf(5), "a title");
  const texts = textsOf(svg);
  for (let c = 0; c < 5; c++) assert.equal(texts.filter((text) => text === `class & ${c}`).length, 2);
  const counts = texts.filter((text) => /^\d+$/.test(text));
  assert.deepEqual(counts, ["40", "39", "1", "38", "2", "37", "3", "4", "36"]);
  for (const text of ["class", "predicted", "Confusion: a title"]) assert.ok(texts.includes(text), text);
  // 40 of 40 have all of the colour, none have nothing of it.
  const fractions = (svg.split("role-mark fractions")[1]?.split("</g>")[0] ?? "").match(/<path[^>]*>/g) ?? [];
  assert.equal(fractions.length, 25);
  assert.match(fractions[0] ?? "", /fill="#00446b" fill-opacity="1"/);
  assert.match(fractions[1] ?? "", /fill-opacity="0"/);
});

test("confusion of many classes: those with most mistakes, which it says", async () => {
  const texts = textsOf(await drawConfusion(confusionOf(100), "t"));
  assert.ok(texts.includes("Confusion of the 30 classes with most mistakes of 100: t"));
  const shown = new Set(texts.filter((text) => text.startsWith("class & ")));
  assert.equal(shown.size, 30);
  assert.ok(shown.has("class & 39") && !shown.has("class & 1"));
});

test("classes: two bars each, none where there is no figure; of many those with the lowest recall", async () => {
  const { perClass } = confusionOf(4);
  const svg = await drawClasses(
    { perClass: [...perClass, { className: "none", images: 0, correct: 0, precision: null, recall: null }] },
    "t",
  );
  const texts = textsOf(svg);
  for (const text of ["class & 0", "class & 3", "none", "recall", "precision", "100 %", "Classes: t"]) {
    assert.ok(texts.includes(text), text);
  }
  assert.equal((svg.split("measures")[1]?.split("</g>")[0]?.match(/<path/g) ?? []).length, 8);
  const many = textsOf(await drawClasses(confusionOf(100), "t"));
  assert.ok(many.includes("40 classes of 100 with the lowest recall: t"));
  assert.equal(many.filter((text) => text.startsWith("class & ")).length, 40);
});

test("class names that are members of every object, or read like code, stand as they are", async () => {
  const names = ["constructor", "__proto__", "toString", "hasOwnProperty", "datum", "a[0]", '"; x', "猫"];
  const counter = countConfusion(names);
  for (const [c] of names.entries()) counter.add(c, c);
  const svgs = [
    await drawConfusion(counter.result(), "t"),
    await drawClasses(counter.result(), "t"),
    await drawMap(
      {
        layer: "fc7",
        features: 2,
        method: "pca",
        explainedVariance: [0.6, 0.4],
        points: names.map((name, i) => ({ x: i, y: i % 3, className: name, predicted: name })),
      },
      names,
      "t",
    ),
  ];
  for (const svg of svgs) {
    const texts = textsOf(svg).map((text) => text.replaceAll("&quot;", '"'));
    for (const name of names) assert.ok(texts.includes(name), name);
  }
});

test("calibration: a point for each bin with images, and the error", async () => {
  const counter = countCalibration();
  for (let i = 0; i < 100; i++) counter.add(0.95, i < 90);
  counter.add(0.5, true);
  const svg = await drawCalibration(counter.result(), "t");
  assert.ok(textsOf(svg).includes(`Calibration, error 5.4 %: t`), textsOf(svg).join("|"));
  assert.equal((svg.split("calibration-points")[1]?.split("</g>")[0]?.match(/<path/g) ?? []).length, 2);
});

test("pace: both lines; one entry, or rates of 0, are no error", async () => {
  const entries = Array.from({ length: 50 }, (_, i) => ({
    epoch: i / 10,
    learningRate: i < 25 ? 0.01 : 0.001,
    examplesPerSecond: 100 + i,
  }));
  const svg = await drawPace(
    paceOf(entries, () => false),
    "t",
  );
  const texts = textsOf(svg);
  for (const text of ["epoch", "images/s", "learning rate", "0.01", "0.001", "Pace: t"])
    assert.ok(texts.includes(text), text);
  assert.ok(!svg.includes("NaN"));
  for (const few of [entries.slice(0, 1), [{ epoch: 0, learningRate: 0, examplesPerSecond: 0 }]]) {
    const svg = await drawPace(
      paceOf(few, () => false),
      "t",
    );
    assert.ok(!/NaN|Infinity/.test(svg));
    for (const mark of ["images-per-second", "learning-rate"]) {
      // A line of one point is "M80,40Z": nothing that is seen.
      assert.match(svg.split(mark)[1]?.split("</g>")[0] ?? "", /<path[^>]* d="M[^"]*[AL]/, mark);
    }
  }
});

test("the rendered charts are not blank", async () => {
  const { channels } = await sharp(toPng(await drawConfusion(confusionOf(3), "t"))).stats();
  for (const { stdev } of channels.slice(0, 3)) assert.ok(stdev > 10);
});
