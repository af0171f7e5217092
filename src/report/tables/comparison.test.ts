import assert from "node:assert/strict";
import { test } from "node:test";
import { comparedMeasures, drawComparison, spread } from "../charts/comparisonChart.ts";
import { renderComparison } from "../pages/comparisonPage.ts";
import { displayWidth } from "../text.ts";
import { type ComparedRun, formatComparison, formatLetterPlot } from "./comparison.ts";
import { formatRunTable } from "./runTable.ts";

function run(letter: string, accuracies: readonly number[]): ComparedRun {
  const log = accuracies.map((testAccuracy, i) => ({
    epoch: i + 1,
    trainLoss: 2 / (i + 1),
    trainAccuracy: testAccuracy - 0.05,
    testLoss: 1 / (i + 1),
    testAccuracy,
  }));
  return {
    letter,
    run: `runs/a-name-that-is-rather-long/and-longer/<${letter}>`,
    state: "interrupted",
    network: "alexnet-fashion",
    dataset: "fashion-mnist",
    epoch: accuracies.length,
    epochs: 10,
    iteration: 12345,
    bestAccuracy: 0.9,
    bestEpoch: 2,
    lastAccuracy: 0.8,
    seconds: 4000,
    parameters: 62365122,
    macs: 1064989296,
    log,
  };
}
const runs = [run("A", [0.6, 0.8]), run("B", [0.7, 0.8, 0.85]), run("C", [])];
const settings = [
  { name: "recipe.learningRate", values: ["0.01", "0.02", "0.01"] },
  { name: "dataset.source", values: ["/a/long/folder/1", "/a/long/folder/2", "/a/long/folder/2"] },
  { name: "recipe.seed", values: ["0", "0", "0"] },
];
const many = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].map((letter) => run(letter, [0.5, 0.6]));

/** A paired test, a reason without one, and a group of seeds. */
const extra = {
  paired: [
    { first: "A", second: "B", images: 10_000, onlyFirst: 40, onlySecond: 61, pValue: 0.0460441 },
    { first: "A", second: "C", problem: "runs/c: no paired test without its predictions; write them with: <command>" },
  ],
  seeds: [{ letters: ["A", "C"], seeds: ["0", "1"], bestAccuracy: { mean: 0.9, deviation: 0.0125 } }],
};

test("in the terminal: 80 columns, every run, differences marked, long values whole, the same ones counted", () => {
  for (const compared of [runs, many]) {
    const rows = settings.map(({ name, values }) => ({
      name,
      values: compared.map((_, i) => values[i % 3] as string),
    }));
    const text = formatComparison({ ...extra, runs: compared, settings: rows });
    for (const line of text.split("\n")) assert.ok(displayWidth(line) <= 80, line);
    for (const { letter } of compared) assert.match(text, new RegExp(`^${letter}  .*<${letter}>$`, "m"));
  }
  const text = formatComparison({ ...extra, runs, settings });
  assert.match(text, /^recipe\.learningRate +0\.01 +≠ 0\.02 +0\.01$/m);
  assert.match(text, /^dataset\.source\n {2}A {2}\/a\/long\/folder\/1\n {2}B C {2}\/a\/long\/folder\/2$/m);
  assert.doesNotMatch(text, /recipe\.seed/);
  assert.match(text, /^A C +90\.0 % ± 1\.3 % +– +–$/m);
  assert.match(text, /^A and B +10,000 +40 +61 +0\.046$/m);
  assert.match(text, /runs\/c: no paired test without its predictions/);
  assert.match(text, /^1 setting is the same/m);
  assert.match(text, /^parameters( +62,365,122){3}$/m);
  assert.match(formatComparison({ ...extra, runs, settings: settings.slice(2) }), /Settings: the same in all runs/);
});

test("letters: each point at its place, several where they meet", () => {
  const text = formatLetterPlot(
    "t",
    [
      {
        letter: "A",
        points: [
          { x: 0, y: 0 },
          { x: 10, y: 1 },
        ],
      },
      {
        letter: "B",
        points: [
          { x: 5, y: 0.5 },
          { x: 10, y: 1 },
        ],
      },
    ],
    31,
  );
  const lines = text.split("\n");
  assert.equal(lines[1], "  100.0 %|                    *");
  assert.equal(lines[12], "    0.0 %|A");
  // Half way up and across.
  assert.equal(
    lines.findIndex((line) => line.trimEnd() === "         |          B"),
    7,
  );
  assert.equal(formatLetterPlot("t", [{ letter: "A", points: [] }]), "t: none yet");
});

test("charts: a line, a letter at its end and a line of legend for each run that has points", async () => {
  for (const measure of Object.values(comparedMeasures)) {
    const svg = await drawComparison(runs, measure);
    const classes = [...svg.matchAll(/class="mark-line role-mark (run-\d)-line"/g)].map(([, name]) => name);
    assert.deepEqual(classes, ["run-0", "run-1"]);
    const strokesOf = (name: string) =>
      (svg.split(`role-mark ${name}"`)[1]?.split("</g>")[0] ?? "").match(/stroke="[^"]*"/g);
    for (const name of classes) assert.deepEqual(strokesOf(`${name}-leader`), strokesOf(`${name}-line`), name);
    assert.ok(strokesOf("run-0-leader"));
    for (const text of [measure.title, measure.axis, "epoch"]) assert.ok(svg.includes(`>${text}<`), text);
    for (const { letter } of runs) assert.match(svg, new RegExp(`>${letter}  .*&lt;${letter}&gt;`));
  }
  const svg = await drawComparison(many, comparedMeasures.accuracy);
  const lines = svg.match(/<g class="mark-line[^>]*><path[^>]*>/g) ?? [];
  const looks = lines.map(
    (line) => /stroke="[^"]*"/.exec(line)?.[0] + (/stroke-dasharray="[^"]*"/.exec(line)?.[0] ?? ""),
  );
  assert.deepEqual([lines.length, new Set(looks).size], [26, 26]);
});

test("letters at the ends of lines do not lie on each other, whatever their order", () => {
  const places = [10, 300, 12, 11, 10].map((y, i) => ({ x: i === 4 ? 200 : 500, y }));
  assert.deepEqual(
    spread(places).map(({ y }) => y),
    [10, 300, 36, 23, 10],
  );
});

test("the page: every figure and setting, escaped, differences marked, nothing asked of the network", async () => {
  const svg = await drawComparison(runs, comparedMeasures.accuracy);
  const page = renderComparison({ ...extra, runs, settings }, [{ heading: "Accuracy", description: "…", svg }]);
  assert.match(page, /default-src &#39;none&#39;/);
  assert.doesNotMatch(page, /<A>|(?:src|href)="http/);
  assert.ok(page.includes("&lt;A&gt;") && page.includes("&lt;command&gt;"));
  assert.ok(page.includes('<td class="number">0.046</td>'));
  assert.ok(page.includes('<td class="different">≠ 0.02</td>'));
  assert.equal(page.match(/≠ /g)?.length, 3);
  assert.ok(page.includes('<th scope="row">recipe.<wbr>seed</th>'));
});

test("runs: a line each within 80 columns, and what cannot be read below", () => {
  const text = formatRunTable([
    ...runs,
    { run: "runs/bad", problem: "runs/bad/config.json: not the configuration of a run" },
  ]);
  for (const line of text.split("\n")) assert.ok(displayWidth(line) <= 80, line);
  assert.match(text, /^<A> +interrupted +alexnet.* +2\/10 +90\.0 % +80\.0 %$/m);
  assert.match(text, /^runs\/bad\/config\.json: not/m);
});
