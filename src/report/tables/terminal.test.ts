import assert from "node:assert/strict";
import { test } from "node:test";
import { networks } from "../../network/alexnet.ts";
import { summarize } from "../../network/summary.ts";
import { classFigures } from "../../training/evaluation/confusion.ts";
import type { Evaluation } from "../../training/evaluation/metrics.ts";
import { displayWidth } from "../text.ts";
import { formatEvaluation, formatRuns } from "./evaluation.ts";
import { formatNetworkList, summarySections } from "./networkTables.ts";
import { formatSections } from "./sections.ts";
import { formatBar, formatPredictions, formatTable, showsUnicode } from "./terminal.ts";

const hostileNames = ["\u001b[2J", "靴".repeat(60), "x".repeat(200), "two\nlines", "T-shirt/top"];

function assertFits(text: string): void {
  for (const line of text.split("\n")) {
    assert.ok(displayWidth(line) <= 80, `${displayWidth(line)} columns: ${line}`);
    assert.equal(line, line.trimEnd());
  }
}

test("a table aligns its columns and rules off its headings and its footer", () => {
  const columns = [
    { heading: "Layer", align: "left" },
    { heading: "MACs", align: "right" },
    { heading: "", align: "left" },
  ] as const;
  const table = formatTable(
    columns,
    [
      ["conv1", "1,000", "#"],
      ["fc", "9"],
    ],
    { footer: [["total", "1,009"]] },
  );
  assert.deepEqual(table.split("\n"), [
    "Layer   MACs",
    "-----  -----",
    "conv1  1,000  #",
    "fc         9",
    "-----  -----",
    "total  1,009",
  ]);
});

test("a table that is too wide cuts the widest columns that shrink, never a number", () => {
  const columns = [
    { heading: "Name", align: "left", shrinks: true },
    { heading: "Kind", align: "left", shrinks: true },
    { heading: "Count", align: "right" },
  ] as const;
  const table = formatTable(columns, [["n".repeat(30), "k".repeat(12), "1,234,567"]], { width: 40 });
  assert.equal(table.split("\n")[2], `${"n".repeat(14)}…  ${"k".repeat(12)}  1,234,567`);
});

for (const network of networks) {
  test(`the summary of ${network.name} fits 80 columns and says every number`, () => {
    const summary = summarize(network);
    const text = formatSections(summarySections(summary));
    assertFits(text);
    const rows = text.split("\n").map((line) => line.trim().split(/\s{2,}/));
    const number = (count: number) => (count === 0 ? [] : [count.toLocaleString("en-US")]);
    for (const { name, kind, outputShape, parameters, neurons, macs } of summary.layers) {
      const expected = [name, kind, outputShape.join("×"), ...[parameters, neurons, macs].flatMap(number)];
      assert.ok(
        rows.some((row) => row.join("|") === expected.join("|")),
        `no row ${expected.join(" | ")}`,
      );
    }
    const { parameters, neurons, macs } = summary.totals;
    assert.ok(
      rows.some((row) => row.join("|") === ["total", ...[parameters, neurons, macs].flatMap(number)].join("|")),
    );
    const flat = text.replace(/\s+/g, " ");
    for (const sentence of [network.source, ...network.deviations]) assert.ok(flat.includes(sentence), sentence);
  });
}

test("a network with long names still fits", () => {
  const network = { ...(networks[0] as (typeof networks)[0]), name: "n".repeat(100), source: "s".repeat(300) };
  const layers = network.layers.map((layer, i) => ({ ...layer, name: `${"long-name-".repeat(5)}${i}` }));
  assertFits(formatSections(summarySections(summarize({ ...network, layers }))));
  assertFits(formatNetworkList([network]));
});

test("a network of one's own, with neither source nor deviations, has no section of them", () => {
  const network = { ...(networks[0] as (typeof networks)[0]), name: "mine" };
  const titles = (source: string, deviations: readonly string[]) =>
    summarySections(summarize({ ...network, source, deviations })).map(({ title }) => title);
  assert.ok(!titles("", []).includes("Source"));
  assert.ok(titles("", ["one"]).includes("Source") && titles("mine", []).includes("Source"));
});

test("the list of networks fits and names each with its source", () => {
  const text = formatNetworkList(networks);
  assertFits(text);
  const flat = text.replace(/\s+/g, " ");
  for (const { name, source } of networks) assert.ok(flat.includes(`${name} ${source}`), name);
});

const evaluation: Evaluation = {
  loss: 0.33,
  images: 10_000,
  top1Accuracy: 0.884,
  accuracyInterval: [0.8776, 0.8901],
  averages: { balancedAccuracy: 0.871, macroF1: 0.872, microF1: 0.884, weightedF1: 0.873 },
  ranking: { meanAveragePrecision: 0.912, meanRocAuc: null, curves: [], rocCurves: [] },
  topK: { k: 3, accuracy: 0.998 },
  perClass: hostileNames.map((className, i) => {
    const counted = classFigures(className, { images: 1000 * i, predicted: 600 * i, correct: 150 * i });
    return { ...counted, averagePrecision: i === 0 ? null : 0.5, rocAuc: i === 0 ? null : 0.75 };
  }),
  confusion: hostileNames.map((_, i) => hostileNames.map((_, j) => (i === 0 ? 0 : 10 * i + j))),
  calibration: { error: 0.0321, confidence: 0.9161, bins: [] },
  bestPredictions: [],
  worstMistakes: hostileNames.map((className, i) => ({
    index: 1234 * i,
    ...(i < 3 ? { file: `/photos/${className}/number-${i}.jpg` } : {}),
    className,
    predicted: "x".repeat(50),
    probability: 1,
    classProbability: 0,
    loss: 744.44 - i,
  })),
};

test("an evaluation fits, whatever the classes are called, and says k", () => {
  const text = formatEvaluation(evaluation);
  assertFits(text);
  assert.match(text, /^top-1 accuracy +88\.4 %$/m);
  assert.match(text, /^95 % interval +87\.8–89\.0 %$/m);
  assert.match(text, /^balanced accuracy +87\.1 %\nmean F1 +87\.2 %\nweighted F1 +87\.3 %$/m);
  assert.match(text, /^mean average precision +91\.2 %\nmean ROC AUC +–$/m);
  assert.match(text, /^top-1 error +11\.6 %$/m);
  assert.match(text, /^top-3 accuracy +99\.8 %$/m);
  assert.match(text, /^top-3 error +0\.2 %$/m);
  assert.match(text, /^mean confidence +91\.6 %$/m);
  assert.match(text, /^calibration error +3\.2 %$/m);
  assert.match(text, /^T-shirt\/top +4,000 +25\.0 % +15\.0 % +14–16 % +18\.8 % +50\.0 % +75\.0 %$/m);
  // A class without images, and never predicted.
  assert.match(text, /^�\[2J +0 +– +– +– +– +– +–$/m);
  // Twenty confusions, of which ten are shown: a row's number is 10 × class + predicted.
  assert.match(text, /^T-shirt\/top +two�lines +43$/m);
  assert.match(text, /^x+… +two�lines +23$/m);
  assert.doesNotMatch(text, / 2[0-2]$/m);
  // A path keeps its end.
  assert.match(text, /^…x+\/number-2\.jpg +x+… +x+… +100\.0 % +742\.440$/m);
  assert.match(text, /^4936 +T-shirt/m);
  assert.equal(text.includes("\u001b"), false);
});

test("an evaluation whose k is all classes says so", () => {
  const perClass = evaluation.perClass.slice(2);
  const text = formatEvaluation({ ...evaluation, perClass });
  assert.match(text, /^top-3 accuracy \(all 3 classes\) +99\.8 %$/m);
});

test("where nothing was mistaken, no table says so; one class, one image", () => {
  const perClass = [classFigures("a", { images: 1, predicted: 1, correct: 1 })];
  const report: Evaluation = {
    ...evaluation,
    images: 1,
    perClass,
    confusion: [[1]],
    worstMistakes: [],
    bestPredictions: [],
  };
  const text = formatEvaluation(report);
  assertFits(text);
  assert.doesNotMatch(text, /confusions|mistakes/i);
  assert.match(text, /^a +1 +100\.0 % +100\.0 % +21–100 % +100\.0 %$/m);
});

test("the runs of an ensemble fit, with what they are together", () => {
  const runs = hostileNames.map((file) => ({ file, network: "n".repeat(60), top1Accuracy: 0.5 }));
  const text = formatRuns(runs, { ...evaluation, top1Accuracy: 0.625 });
  assertFits(text);
  assert.match(text, /^together +62\.5 %$/m);
});

test("bars grow with the fraction, to an eighth of a column in Unicode and to a column in ASCII", () => {
  const eighths = (bar: string) => {
    const last = " ▏▎▍▌▋▊▉".indexOf(bar.at(-1) ?? " ");
    return 8 * [...bar].filter((cell) => cell === "█").length + Math.max(last, 0);
  };
  for (let i = 0; i <= 3200; i++) {
    const fraction = i / 3200;
    const bar = formatBar(fraction, 40, { unicode: true });
    assert.ok(Math.abs(eighths(bar) - 320 * fraction) <= 0.5 + 1e-9, `${fraction}: ${bar}`);
    const ascii = formatBar(fraction, 40, { unicode: false });
    assert.match(ascii, /^#*$/);
    assert.ok(Math.abs(ascii.length - 40 * fraction) <= 0.5 + 1e-9, `${fraction}: ${ascii}`);
  }
  assert.equal(formatBar(1.0000001, 40, { unicode: true }), "█".repeat(40));
  assert.equal(formatBar(-0.1, 40, { unicode: true }), "");
});

test("predictions are lines of name, bar and per cent", () => {
  const predictions = [
    { className: "Sneaker", probability: 0.5 },
    { className: "Ankle boot", probability: 0.25 },
    { className: "Bag", probability: 0 },
  ];
  assert.deepEqual(formatPredictions(predictions, { unicode: false }).split("\n"), [
    `Sneaker     ${"#".repeat(16)}${" ".repeat(16)}  50.0 %`,
    `Ankle boot  ${"#".repeat(8)}${" ".repeat(24)}  25.0 %`,
    `Bag         ${" ".repeat(32)}   0.0 %`,
  ]);
  assertFits(
    formatPredictions(
      hostileNames.map((className) => ({ className, probability: 1 })),
      { unicode: true },
    ),
  );
});

test("only a terminal with a UTF-8 locale shows Unicode", () => {
  assert.equal(showsUnicode(true, { LANG: "en_US.UTF-8" }), true);
  assert.equal(showsUnicode(true, { LC_ALL: "C.utf8", LANG: "C" }), true);
  assert.equal(showsUnicode(true, { LC_ALL: "C", LANG: "en_US.UTF-8" }), false);
  assert.equal(showsUnicode(true, {}), false);
  assert.equal(showsUnicode(false, { LANG: "en_US.UTF-8" }), false);
});
