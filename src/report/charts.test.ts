import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { countCalibration } from "../training/evaluation/calibration.ts";
import { classFigures, countConfusion } from "../training/evaluation/confusion.ts";
import { changesSmoothly } from "../training/schedule.ts";
import { drawCalibration } from "./charts/calibrationChart.ts";
import { drawClasses, drawConfusion } from "./charts/evaluationCharts.ts";
import { drawLineChart } from "./charts/experimentChart.ts";
import { drawDotChart } from "./charts/experimentDots.ts";
import { drawMap } from "./charts/mapChart.ts";
import { drawPace, paceOf } from "./charts/paceChart.ts";
import { drawPrecisionRecall, drawRoc } from "./charts/rankingCharts.ts";
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
    { perClass: [...perClass, classFigures("none", { images: 0, predicted: 0, correct: 0 })] },
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

test("precision and recall: a curve for each label with images, at most the 12 with the lowest average precision", async () => {
  const label = (i: number, averagePrecision: number | null) => ({
    ...classFigures(`label & ${i}`, { images: 1, predicted: 1, correct: 1 }),
    averagePrecision,
    rocAuc: averagePrecision,
  });
  const curve = [
    [0.5, 1],
    [1, 0.25],
  ] as const;
  const few = { curves: [curve, [], curve], meanAveragePrecision: 0.625 };
  const svg = await drawPrecisionRecall({ perClass: [label(0, 0.5), label(1, null), label(2, 0.75)] }, few, "t");
  const texts = textsOf(svg);
  assert.ok(texts.includes("Precision and recall, mean AP 62.5 %: t"), texts.join());
  assert.deepEqual(
    texts.filter((text) => text.startsWith("label")),
    ["label & 2 75.0 %", "label & 0 50.0 %"],
  );
  assert.match(svg, /curve-1-line"[^>]*><path d="M200,0L400,300"/);
  assert.match(svg, /label &amp; 0(\n|&#xA;)recall 100\.0 %(\n|&#xA;)precision 25\.0 %/);
  const perClass = Array.from({ length: 14 }, (_, i) => label(i, (i + 1) / 20));
  const many = { curves: perClass.map(() => curve), meanAveragePrecision: null };
  const drawn = textsOf(await drawPrecisionRecall({ perClass }, many, "t"));
  assert.ok(
    drawn.some((text) => text.startsWith("Precision and recall, 12 classes of 14 with the lowest")),
    drawn.join(),
  );
  assert.deepEqual(drawn.filter((text) => text.startsWith("label")).at(0), "label & 11 60.0 %");
  assert.equal(drawn.filter((text) => text.startsWith("label")).length, 12);
});

test("ROC: a curve for each class with an area, in the order of the areas, and the line of chance", async () => {
  const own = (i: number, rocAuc: number | null) => ({
    ...classFigures(`class & ${i}`, { images: 1, predicted: 1, correct: 1 }),
    rocAuc,
  });
  const curve = [
    [0, 0],
    [0.25, 1],
  ] as const;
  const figures = { rocCurves: [curve, [], curve], meanRocAuc: 0.75 };
  const svg = await drawRoc({ perClass: [own(0, 0.7), own(1, null), own(2, 0.8)] }, figures, "t");
  const texts = textsOf(svg);
  assert.ok(texts.includes("ROC, mean AUC 75.0 %: t"), texts.join());
  assert.deepEqual(
    texts.filter((text) => text.startsWith("class")),
    ["class & 2 80.0 %", "class & 0 70.0 %"],
  );
  assert.match(svg, /curve-1-line"[^>]*><path d="M0,400L100,0"/);
  assert.match(svg, /chance-line"[^>]*><path d="M0,400L400,0"/);
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

/** Corners of the learning rate's line. */
function rateLine(svg: string): readonly (readonly [x: number, y: number])[] {
  const path = /role-mark learning-rate".*?<path[^>]* d="([^"]*)"/s.exec(svg)?.[1] ?? "";
  return [...path.matchAll(/([-\d.]+),([-\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)] as const);
}

test("pace: a learning rate that changes in steps has a line of steps; in a warm-up and a cosine the line slopes", async () => {
  const entries = Array.from({ length: 6 }, (_, i) => ({
    epoch: i + 1,
    learningRate: i < 3 ? 0.01 : 0.001,
    examplesPerSecond: 100,
    testAccuracy: 0.5,
  }));
  const stepped = rateLine(
    await drawPace(
      paceOf(entries, () => false),
      "t",
    ),
  );
  for (const [i, [x, y]] of stepped.slice(1).entries()) {
    const [beforeX, beforeY] = stepped[i] ?? [];
    assert.ok(x === beforeX || y === beforeY, `a slope from ${stepped[i]} to ${[x, y]}`);
  }
  // The step is at the end of epoch 3, where the schedule changes the rate.
  const [fall] = stepped.filter(([x], i) => x === stepped[i - 1]?.[0]);
  const across = 596 / (1.02 * 6);
  assert.ok(Math.abs((fall?.[0] ?? 0) - 3 * across) < 0.01, `${fall}`);
  const smooth = rateLine(
    await drawPace(
      paceOf(entries, () => true),
      "t",
    ),
  );
  assert.equal(smooth.length, entries.length);
  const warm = rateLine(
    await drawPace(
      paceOf(entries, (epoch) => changesSmoothly(warmed, epoch)),
      "t",
    ),
  );
  assert.equal(warm.length, entries.length, "the change is inside of a warm-up of 4 epochs");
  assert.equal(changesSmoothly(warmed, 5), false);
  assert.equal(changesSmoothly({ schedule: { kind: "cosine", floor: 0 }, warmup: 0 }, 5), true);
});

const warmed = { schedule: { kind: "constant" }, warmup: 4 } as const;

test("each cell, bar and point says its values under the pointer", async () => {
  const says = (svg: string) =>
    [...svg.matchAll(/<title>([^<]*)<\/title>/g)].map(([, text = ""]) => text.replaceAll("&#xA;", "|"));
  const confusion = says(await drawConfusion(confusionOf(3), "t"));
  assert.equal(confusion.length, 9);
  assert.equal(confusion[4], "class &amp; 1, predicted class &amp; 1|39 of 40, 97.5 %");
  const classes = says(await drawClasses(confusionOf(3), "t"));
  assert.deepEqual(classes.slice(0, 2), ["class &amp; 0|recall 100.0 %", "class &amp; 0|precision 95.2 %"]);
  const counter = countCalibration();
  for (let i = 0; i < 100; i++) counter.add(0.95, i < 90);
  assert.deepEqual(says(await drawCalibration(counter.result(), "t")), ["100 images|probability 95.0 %|right 90.0 %"]);
});

test("the rendered charts are not blank", async () => {
  const { channels } = await sharp(toPng(await drawConfusion(confusionOf(3), "t"))).stats();
  for (const { stdev } of channels.slice(0, 3)) assert.ok(stdev > 10);
});

test("a chart of lines on a logarithmic axis without any value has no NaN", async () => {
  const frame = {
    title: "none",
    x: { title: "images", scale: "log" },
    y: { title: "error", format: String, isFraction: true },
  } as const;
  const unreached = { x: 1000, y: Number.POSITIVE_INFINITY, deviation: 0, values: [Number.POSITIVE_INFINITY] };
  const svg = await drawLineChart(frame, [{ name: "a", points: [unreached] }], "wide");
  assert.match(svg, /a: not reached/);
  assert.doesNotMatch(svg, /NaN|Infinity/);
});

test("a row of dots says in how many seeds a target was not reached", async () => {
  const axis = { title: "epochs", format: String, isFraction: false };
  const points = [
    { x: "a", y: Number.POSITIVE_INFINITY, deviation: 0, values: [3, Number.POSITIVE_INFINITY, 4] },
    { x: "b", y: Number.POSITIVE_INFINITY, deviation: 0, values: [Number.POSITIVE_INFINITY] },
  ];
  const svg = await drawDotChart({ title: "epochs", axis }, points, "wide");
  assert.match(svg, />not reached in 1 of 3<.*>not reached</s);
  assert.doesNotMatch(svg, /NaN|Infinity/);
});
