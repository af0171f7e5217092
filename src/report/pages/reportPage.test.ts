/** The whole page from one set of data. Longer than other files: what is asked of it is asked of all its parts together. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import sharp from "sharp";
import { findNetwork } from "../../network/alexnet.ts";
import { summarize } from "../../network/summary.ts";
import { curvesOf } from "../charts/curveSeries.ts";
import { drawCurves } from "../charts/curves.ts";
import { drawNetwork } from "../figures/drawing.ts";
import { layerOverview } from "../tables/networkTables.ts";
import type { Section } from "../tables/sections.ts";
import { describeCorrect } from "./gallery.ts";
import { type ReportData, renderReport } from "./reportPage.ts";

const entries = [
  { epoch: 0.1, trainLoss: 2.3, trainAccuracy: 0.1 },
  { epoch: 0.25, trainLoss: 0.9, trainAccuracy: 0.66, testAccuracy: 0.7 },
];
const curves = {
  wide: await drawCurves(curvesOf(entries), { title: "t", format: "wide" }),
  narrow: await drawCurves(curvesOf(entries), { title: "t", format: "narrow" }),
  description: "Loss and accuracy.",
};
const pngOf = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "#804020" } })
    .png()
    .toBuffer();
const [small, large] = [await pngOf(28, 90), await pngOf(227, 50)];

const network = findNetwork("alexnet-fashion");
const drawing = { heading: "Drawing", description: "Blocks.", svg: drawNetwork(network, "light") };
const layers = layerOverview(summarize(network));

const someImages = [
  { png: small, trueClass: "Sneaker", predictedClass: "Sneaker", probability: 0.981 },
  { png: large, trueClass: "Dress", predictedClass: "Coat", probability: 0.612 },
];

const data: ReportData = {
  title: "alexnet-fashion on fashion-mnist",
  results: {
    epochs: 0.2495,
    iterations: 117,
    seconds: 302,
    trainLoss: 0.9,
    trainAccuracy: 0.66,
    examplesPerSecond: 52.31,
    device: "2 threads of a CPU",
  },
  curves,
  evaluation: {
    loss: 0.81,
    images: 3000,
    top1Accuracy: 0.7,
    topK: { k: 5, accuracy: 0.99 },
    perClass: Array.from({ length: 6 }, (_, i) => ({ className: `class ${i}`, images: 500, correct: 100 * i })),
  },
  charts: [{ heading: "Confusion", description: "Rows & columns.", svg: "<svg><text>of charts</text></svg>" }],
  galleries: [
    {
      name: "mistakes",
      heading: "Worst mistakes",
      description: "Images whose true class has the lowest probability.",
      predictions: [{ png: small, trueClass: "Shirt", predictedClass: "Bag", probability: 0.999 }],
    },
    {
      name: "best",
      heading: "Best predictions",
      description: "Correct predictions with the highest probability.",
      predictions: [{ png: large, trueClass: "Boot", predictedClass: "Boot", probability: 0.9996 }],
    },
    {
      name: "images",
      heading: "Sample of test images",
      description: describeCorrect(someImages),
      predictions: someImages,
    },
  ],
  configuration: [
    {
      heading: "Recipe",
      rows: [
        ["learning rate", "0.01"],
        ["seed", "7"],
      ],
    },
  ],
  command: "npx alexnet train --seed 7",
  network: {
    name: "alexnet-fashion",
    source: "the paper",
    deviations: ["one channel", "no groups"],
    drawing,
    layers,
  },
};

/** A table with a text in each place. */
const layersNamed = (text: string): Section => ({
  title: text,
  columns: [
    { heading: text, align: "left" },
    { heading: text, align: "right" },
  ],
  rows: [[text, text]],
  footer: [[text, text]],
  notes: [text],
});

/** The page with each text that the user or a file can set replaced. */
function withTexts(text: string): ReportData {
  return {
    ...data,
    title: text,
    results: { ...data.results, device: text },
    evaluation: {
      loss: 1,
      images: 1,
      top1Accuracy: 1,
      topK: { k: 1, accuracy: 1 },
      perClass: [{ className: text, images: 1, correct: 1 }],
    },
    charts: [],
    galleries: [
      {
        name: text,
        heading: text,
        description: text,
        predictions: [{ png: small, trueClass: text, predictedClass: text, probability: 1 }],
      },
    ],
    configuration: [{ heading: text, rows: [[text, text]] }],
    command: text,
    network: { name: text, source: text, deviations: [text], drawing, layers: layersNamed(text) },
  };
}

/** Tags as a stack: throws where one is not closed, or closes another. Attributes must be quoted. */
function assertBalanced(page: string): void {
  const empty = new Set(["meta", "img", "rect", "line"]);
  const open: string[] = [];
  for (const [tag, slash, name = ""] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s[^<>]*)?>/gi)) {
    if (slash) assert.equal(open.pop(), name, tag);
    else if (!empty.has(name) && !tag.endsWith("/>")) open.push(name);
    assert.doesNotMatch(tag.replace(/"[^"]*"/g, '""'), /=(?!"")/, tag);
  }
  assert.deepEqual(open, []);
}

/** The page without its only script, whose hash its policy has. */
function withoutScript(page: string): string {
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)];
  const [[element, script = ""] = [""]] = scripts;
  const hash = createHash("sha256").update(script).digest("base64");
  assert.equal(scripts.length, 1);
  assert.ok(page.includes(`script-src &#39;sha256-${hash}&#39;"`), "the policy lets another script run");
  return page.replace(element, "");
}

const attack = `<script>alert(1)</script><img src=x onerror=alert(1)>" onload="x' & \u0000`;

test("nothing that a user or a file says becomes markup", () => {
  const page = withoutScript(renderReport(withTexts(attack)));
  assert.doesNotMatch(page, /<script/i);
  assert.doesNotMatch(page, /<img src=x/);
  assertBalanced(page);
  const plain = withoutScript(renderReport(withTexts("plain")));
  const tags = (text: string) => text.match(/<[a-z/!][^>]*>/gi)?.map((tag) => tag.replace(/"[^"]*"/g, '""'));
  assert.deepEqual(tags(page), tags(plain));
  const escaped =
    "&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot; onload=&quot;x&#39; &amp; \ufffd";
  const count = (text: string, part: string) => text.split(part).length - 1;
  assert.equal(count(page, escaped), count(plain, "plain"));
});

test("the page is one file: nothing in it is fetched", () => {
  const page = renderReport(data);
  const addresses = [...page.matchAll(/(?:src|href|action|data|srcset)="([^"]*)"/g)].map(
    ([, address]) => address ?? "",
  );
  assert.equal(
    addresses.length,
    data.galleries.reduce((sum, { predictions }) => sum + predictions.length, 0),
  );
  for (const address of addresses) assert.match(address, /^data:image\/png;base64,/);
  assert.doesNotMatch(page.replaceAll(/xmlns(:xlink)?="[^"]*"/g, ""), /https?:|url\(|@import/);
  assert.match(page, /Content-Security-Policy" content="default-src &#39;none&#39;; img-src data:;/);
});

test("the page says every figure", () => {
  const page = withoutScript(renderReport(data));
  assertBalanced(page);
  const text = page
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/[\s\u00a0]+/g, " ");
  for (const part of [
    "0.25 epochs (117 iterations) on 2 threads of a CPU",
    "test accuracy 70.0 % train accuracy, epoch 66.0 % train loss, epoch 0.900 test loss 0.810 images/s 52.3 training time 5 min 2 s",
    "3,000 test images: top-1 accuracy 70.0 %, top-5 accuracy 99.0 %",
    "class 3 300 of 500 60.0 %",
    "Confusion Rows &amp; columns. of charts",
    "Worst mistakes Images whose true class has the lowest probability. ✗ wrong predicted Bag, 99.9 % true Shirt",
    "Best predictions Correct predictions with the highest probability. ✓ right predicted Boot, 100.0 % true Boot",
    "1 of these 2 are right",
    "✓ right predicted Sneaker, 98.1 % true Sneaker",
    "✗ wrong predicted Coat, 61.2 % true Dress",
    "learning rate 0.01 seed 7",
    "npx alexnet train --seed 7",
    "Source the paper.",
    "one channel no groups",
  ]) {
    assert.ok(text.includes(part), `${part} in ${text}`);
  }
});

test("images are in the page unchanged, small ones with sharp pixels, all with a description", () => {
  const page = renderReport(data);
  const images = [...page.matchAll(/<img src="data:image\/png;base64,([^"]*)" alt="([^"]+)"([^>]*)>/g)];
  assert.equal(images.length, 4);
  assert.deepEqual(
    images.map(([, base64]) => Buffer.from(base64 ?? "", "base64")),
    [small, large, small, large],
  );
  assert.deepEqual(
    images.map(([, , , rest]) => rest),
    [' class="pixels"', "", ' class="pixels"', ""],
  );
});

test("headings go down one level at a time, from the title; what can scroll has a name and takes the focus", () => {
  const page = renderReport(data);
  const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level));
  assert.equal(levels.filter((level) => level === 1).length, 1);
  levels.forEach((level, i) => {
    assert.ok(level <= (levels[i - 1] ?? 0) + 1, `h${level} after h${levels[i - 1]}`);
  });
  const scrolling = [...page.matchAll(/<(?:figure|div) class="(?:chart|scroll)"([^>]*)>/g)].map(([, rest]) => rest);
  assert.equal(scrolling.length, 3);
  for (const rest of scrolling) assert.match(rest ?? "", /role="(?:img|region)" aria-label="[^"]+" tabindex="0"/);
  for (const [figure] of page.matchAll(/<figure[^>]*>/g)) assert.match(figure, /role="img" aria-label="[^"]+"/);
});

test("the layers are a table: each with its fraction and receptive field", () => {
  const [table = ""] = renderReport(data).match(/<div class="scroll".*?<\/div>/s) ?? [];
  const rows = [...table.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row = ""]) =>
    [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/g)].map(([, cell]) => cell),
  );
  assert.deepEqual(rows[0], ["Layer", "Output", "Kernel", "Parameters", "Share", "MACs", "Share", "Sees"]);
  const { layers, totals } = summarize(network);
  assert.equal(rows.length, layers.length + 2);
  for (const row of rows) assert.equal(row.length, 8);
  const [conv1 = []] = rows.filter(([name]) => name === "conv1");
  const parameters = 96 * (11 * 11 + 1);
  const shareOf = (part: number, whole: number) => `${((100 * part) / whole).toFixed(1)} %`;
  assert.deepEqual(
    [conv1[2], conv1[3], conv1[4]],
    ["96 of 11×11×1", parameters.toLocaleString("en-US"), shareOf(parameters, totals.parameters)],
  );
  assert.equal(conv1[7], "11×11");
  assert.ok(table.includes(`<tfoot><tr><th scope="row">total</th>`));
});

test("bars are as long as the accuracies", () => {
  const widths = [...renderReport(data).matchAll(/class="bar" style="width:([\d.]+)%"/g)].map(([, width]) =>
    Number(width),
  );
  assert.deepEqual(widths, [0, 20, 40, 60, 80, 100]);
});

test("a run that ended early has a report without what it does not know", () => {
  const { evaluation: _, ...rest } = data;
  const results = { epochs: 0, iterations: 0, seconds: 0, device: "2 threads" };
  const mine = { name: "mine", source: "", deviations: [], drawing, layers };
  const page = withoutScript(renderReport({ ...rest, results, charts: [], galleries: [], network: mine }));
  assertBalanced(page);
  assert.doesNotMatch(
    page,
    /NaN|undefined|Accuracy of each class|Sample of test images|worst mistakes|best predictions/,
  );
});
