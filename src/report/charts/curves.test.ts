import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { toPng } from "../figures/png.ts";
import { type CurveEntry, curvesOf } from "./curveSeries.ts";
import { drawCurves } from "./curves.ts";

/** A log as training writes it: a line every 20 iterations, and an evaluation at the end of each epoch and of the run. */
function logOf(iterations: number, iterationsPerEpoch: number): CurveEntry[] {
  const entries: CurveEntry[] = [];
  for (let iteration = 1; iteration <= iterations; iteration++) {
    const evaluates = iteration % iterationsPerEpoch === 0 || iteration === iterations;
    if (iteration % 20 !== 0 && !evaluates) continue;
    const epoch = iteration / iterationsPerEpoch;
    const trainLoss = 0.3 + 2 * Math.exp(-4 * epoch) + 0.02 * Math.sin(iteration);
    const trainAccuracy = 0.88 - 0.78 * Math.exp(-5 * epoch) + 0.01 * Math.cos(iteration);
    const test = { testLoss: trainLoss + 0.05, testAccuracy: trainAccuracy + 0.02 };
    entries.push({ epoch, trainLoss, trainAccuracy, ...(evaluates ? test : {}) });
  }
  return entries;
}

const quarter = logOf(117, 469);
const tenEpochs = logOf(4690, 469);
const title = "alexnet-fashion on fashion-mnist";

type Axis = (pixel: number) => number;

/** Reads an axis as a person does: from the places of its labels. */
function readAxis(svg: string, name: string): Axis {
  const start = svg.indexOf(`axis titled '${name}`);
  const labels = svg.slice(start).match(/role-axis-label.*?<\/g>/s)?.[0] ?? "";
  const found = [...labels.matchAll(/translate\(([-\d.]+),([-\d.]+)\)[^>]*>([^<]+)</g)].map(([, x, y, text]) => ({
    pixel: Number(name === "epoch" ? x : y) - (name === "epoch" ? 0 : 4),
    value: text?.endsWith(" %") ? Number.parseFloat(text) / 100 : Number(text),
  }));
  const [first, last] = [found[0], found.at(-1)];
  assert.ok(first && last && first.value < last.value, `no axis ${name}`);
  return (pixel) => first.value + ((pixel - first.pixel) * (last.value - first.value)) / (last.pixel - first.pixel);
}

/** The points of a line, in pixels from the upper left corner of the plot. */
function readLine(svg: string, name: string): { x: number; y: number }[] {
  const path = svg.match(new RegExp(`role-mark ${name}-line".*?<path[^>]*? d="([^"]*)"`, "s"))?.[1] ?? "";
  return [...path.matchAll(/[ML]([-\d.]+),([-\d.]+)/g)].map(([, x, y]) => ({ x: Number(x), y: Number(y) }));
}

function countMarkers(svg: string, name: string): number {
  const group = svg.match(new RegExp(`role-mark ${name}-points".*?</g>`, "s"))?.[0] ?? "";
  return group.match(/<path/g)?.length ?? 0;
}

async function pixelsOf(svg: string) {
  const { data, info } = await sharp(toPng(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [...data.subarray(3 * (y * info.width + x), 3 * (y * info.width + x) + 3)];
  return { ...info, at };
}

for (const [name, entries] of Object.entries({ quarter, tenEpochs })) {
  test(`the lines of the figure, read off its axes, are the numbers of the log: ${name}`, async () => {
    for (const format of ["wide", "narrow"] as const) {
      const svg = await drawCurves(curvesOf(entries), { title, format });
      const epochOf = readAxis(svg, "epoch");
      // Evaluations' lines hold means over the epoch, which are not on the curves.
      const fine = entries.filter((entry) => entry.testAccuracy === undefined);
      const series = [
        { name: "train-loss", axis: readAxis(svg, "loss"), values: fine.map((entry) => entry.trainLoss) },
        {
          name: "train-accuracy",
          axis: readAxis(svg, "accuracy"),
          values: fine.map((entry) => entry.trainAccuracy),
        },
      ];
      for (const { name, axis, values } of series) {
        const points = readLine(svg, name);
        assert.equal(points.length, fine.length);
        // Labels stand up to a pixel beside their ticks.
        const tolerance = Math.abs(axis(0) - axis(1.5));
        points.forEach(({ x, y }, i) => {
          assert.ok(
            Math.abs(axis(y) - (values[i] ?? Number.NaN)) <= tolerance,
            `${name} ${i}: ${axis(y)} for ${values[i]}`,
          );
          assert.ok(Math.abs(epochOf(x) - (fine[i]?.epoch ?? Number.NaN)) <= Math.abs(epochOf(0) - epochOf(1.5)));
        });
      }
      const evaluations = entries.filter((entry) => entry.testAccuracy !== undefined);
      for (const name of ["test-accuracy", "test-loss"]) {
        assert.equal(countMarkers(svg, name), evaluations.length);
        assert.equal(readLine(svg, name).length, evaluations.length);
      }
    }
  });
}

test("everything is inside of the figure, and the test accuracy of a quarter of an epoch can be seen", async () => {
  const svg = await drawCurves(curvesOf(quarter), { title, format: "wide" });
  const { epoch, testAccuracy = Number.NaN } = quarter.at(-1) ?? { epoch: Number.NaN };
  const epochOf = readAxis(svg, "epoch");
  const x = (epoch - epochOf(0)) / (epochOf(1) - epochOf(0));
  assert.ok(x > 550 && x < 586, `the last point is at ${x} of 586`);
  const pixels = await pixelsOf(svg);
  assert.deepEqual([pixels.width, pixels.height], [1440, 920]);
  // The plot begins at (62, 94), is 312 high, and a PNG has two pixels for each of the SVG.
  assert.deepEqual(
    pixels.at(Math.round(2 * (62 + x)), Math.round(2 * (94 + 312 * (1 - testAccuracy)))),
    [0, 0x9e, 0x73],
  );
  for (let y = 0; y < 920; y++) for (const edge of [0, 1439]) assert.deepEqual(pixels.at(edge, y), [255, 255, 255]);
});

test("a PNG has its text without any font of the system", async () => {
  const ink = async (text: string) => {
    const pixels = await pixelsOf(await drawCurves(curvesOf(quarter), { title: text, format: "wide" }));
    let dark = 0;
    for (let y = 20; y < 76; y++) for (let x = 0; x < 1440; x++) if ((pixels.at(x, y)[0] ?? 255) < 128) dark++;
    return dark;
  };
  assert.equal(await ink(""), 0);
  const [narrowLetters, wideLetters] = [await ink("iiiiiiii"), await ink("mmmmmmmm")];
  // A missing font leaves nothing, and boxes for letters would all be alike.
  assert.ok(narrowLetters > 300 && wideLetters > 1.5 * narrowLetters, `${narrowLetters}, ${wideLetters} dark pixels`);
});

test("the lines differ without their colours", async () => {
  const svg = await drawCurves(curvesOf(tenEpochs), { title, format: "wide" });
  const dashes = ["train-loss", "train-accuracy", "test-loss", "test-accuracy"].map((name) => {
    const path = svg.match(new RegExp(`role-mark ${name}-line".*?<path[^>]*>`, "s"))?.[0] ?? "";
    return path.match(/stroke-dasharray="([^"]*)"/)?.[1] ?? "solid";
  });
  assert.equal(new Set(dashes).size, 4);
});

test("the legend ends with the last value of each series", async () => {
  const entries = [...quarter, { epoch: 0.3, trainLoss: 0.5, trainAccuracy: 0.75 }];
  const svg = await drawCurves(curvesOf(entries), { title, format: "narrow" });
  const { testAccuracy = 0, testLoss = 0 } = quarter.at(-1) ?? {};
  const test = [`test loss ${testLoss.toFixed(3)}`, `test accuracy ${(100 * testAccuracy).toFixed(1)} %`];
  for (const text of ["train loss 0.500", "train accuracy 75.0 %", ...test]) {
    assert.ok(svg.includes(`>${text}<`), text);
  }
});

test("no entries give a message, one entry gives points, and neither a line", async () => {
  const none = await drawCurves(curvesOf([]), { title, format: "wide" });
  assert.match(none, /No data yet/);
  assert.match(none, new RegExp(title));
  toPng(none);
  const one = await drawCurves(curvesOf(quarter.slice(0, 1)), { title, format: "wide" });
  assert.deepEqual(
    ["train-loss", "train-accuracy", "test-accuracy"].map((name) => countMarkers(one, name)),
    [1, 1, 0],
  );
});

test("tiny losses have an axis that can be read", async () => {
  const entries = tenEpochs.map((entry, i) => ({ ...entry, trainLoss: 3e-7 / (1 + i), testLoss: 2e-7 }));
  const svg = await drawCurves(curvesOf(entries), { title, format: "wide" });
  const toLoss = readAxis(svg, "loss");
  const [first] = readLine(svg, "test-loss");
  assert.ok(first && Math.abs(toLoss(first.y) - 2e-7) < 1e-9, svg);
});

test("values that are not finite are left out, and titles cannot break the document", async () => {
  const entries = [...quarter, { epoch: 0.3, trainLoss: Number.NaN, trainAccuracy: Number.POSITIVE_INFINITY }];
  const svg = await drawCurves(curvesOf(entries), { title: `<script>&"'\u0000\u001b</svg>`, format: "wide" });
  assert.equal(svg.includes("<script"), false);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
  assert.equal(readLine(svg, "train-loss").length, quarter.length - 1);
  // The renderer's XML parser is strict: it throws for a document that is not well-formed.
  toPng(svg);
});

test("a run of 90 epochs of ImageNet stays a small figure, and says that its points are means", async () => {
  const entries = logOf(900_000, 10_000);
  const svg = await drawCurves(curvesOf(entries), { title, format: "wide" });
  // Four lines of up to 600 points of 12 characters, and 147 columns with their values.
  assert.ok(svg.length < 70_000, `${svg.length} characters for ${entries.length} entries`);
  assert.match(svg, /each point the mean of \d+ log lines/);
  toPng(svg);
});

/** The text under the pointer in each column, from left to right. */
function hoverTexts(svg: string): readonly string[] {
  const group = svg.match(/role-mark hover".*?<\/g>/s)?.[0] ?? "";
  return [...group.matchAll(/<title>([^<]*)<\/title>/g)].map(([, text = ""]) => text.replaceAll("&#xA;", "\n"));
}

test("each epoch has a point in every curve, however few iterations it has", async () => {
  // An epoch of 3 iterations: a log line of 20 iterations comes once in 7 epochs.
  const entries = logOf(45, 3);
  const svg = await drawCurves(curvesOf(entries), { title, format: "wide" });
  const evaluations = entries.filter(({ testAccuracy }) => testAccuracy !== undefined);
  assert.equal(evaluations.length, 15);
  for (const name of ["train-loss", "train-accuracy", "test-loss", "test-accuracy"]) {
    assert.equal(readLine(svg, name).length, 15, name);
  }
  // A run of one epoch, and of one iteration.
  const one = await drawCurves(curvesOf(logOf(1, 1)), { title, format: "wide" });
  for (const name of ["train-loss", "train-accuracy", "test-loss", "test-accuracy"]) {
    assert.equal(countMarkers(one, name), 1, name);
  }
});

test("the values of all curves are under the pointer, at least 4 pixels wide each, in order and without gaps", async () => {
  const svg = await drawCurves(curvesOf(tenEpochs), { title, format: "wide" });
  const texts = hoverTexts(svg);
  assert.ok(texts.length > 100 && texts.length <= 586 / 4, `${texts.length} columns`);
  const group = svg.match(/role-mark hover".*?<\/g>/s)?.[0] ?? "";
  let right = 0;
  for (const [, left, width] of group.matchAll(/d="M([\d.]+),0h([\d.]+)v312/g)) {
    // Coordinates have two decimals.
    assert.ok(Math.abs(Number(left) - right) < 0.02, `${left} after ${right}`);
    right = Number(left) + Number(width);
  }
  assert.ok(Math.abs(right - 586) < 0.02, `${right}`);
  const { trainLoss = 0, trainAccuracy = 0 } =
    tenEpochs.filter(({ testAccuracy }) => testAccuracy === undefined).at(-1) ?? {};
  const { testLoss = 0, testAccuracy = 0 } = tenEpochs.at(-1) ?? {};
  assert.equal(
    texts.at(-1),
    [
      "epoch 10",
      `train loss ${trainLoss.toFixed(3)}`,
      `train accuracy ${(100 * trainAccuracy).toFixed(1)} %`,
      `test loss ${testLoss.toFixed(3)}`,
      `test accuracy ${(100 * testAccuracy).toFixed(1)} %`,
    ].join("\n"),
  );
  assert.match(texts[0] ?? "", /^epoch 0\.04\ntrain loss \d\.\d{3}\ntrain accuracy \d+\.\d %$/);
});
