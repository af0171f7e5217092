import assert from "node:assert/strict";
import { test } from "node:test";
import { blend, contrast, distance, parseColour, visions } from "../../test/colourVision.ts";
import { findNetwork } from "../network/alexnet.ts";
import { countCalibration } from "../training/evaluation/calibration.ts";
import { countConfusion } from "../training/evaluation/confusion.ts";
import type { Evaluation } from "../training/evaluation/metrics.ts";
import { comparedMeasures, drawComparison } from "./charts/comparisonChart.ts";
import { curvesOf } from "./charts/curveSeries.ts";
import { drawCurves } from "./charts/curves.ts";
import { evaluationCharts } from "./charts/evaluationCharts.ts";
import { logCharts } from "./charts/paceChart.ts";
import { drawRateFigure } from "./charts/rateFigure.ts";
import { drawSweepFigure } from "./charts/sweepFigure.ts";
import { drawNetwork } from "./figures/drawing.ts";
import { colours, inPage, type Palette, palettes, strongCell, themes, themeVariables } from "./theme.ts";

const hues = ["blue", "orange", "green", "purple", "petrol", "ochre"] as const satisfies readonly (keyof Palette)[];

for (const theme of themes) {
  const palette = palettes[theme];
  const background = parseColour(palette.background);

  test(`${theme}: text has a contrast of 4.5, lines and marks of 3`, () => {
    assert.ok(contrast(parseColour(palette.ink), background) >= 4.5);
    for (const name of [...hues, "rule", "cell"] as const) {
      const found = contrast(parseColour(palette[name]), background);
      assert.ok(found >= 3, `${name}: ${found}`);
    }
    for (let fraction = 0; fraction <= 1; fraction += 1 / 1024) {
      const text = fraction > strongCell ? palette.onStrongCell : palette.onPaleCell;
      const found = contrast(parseColour(text), blend(parseColour(palette.cell), background, fraction));
      assert.ok(found >= 4.5, `text on a cell of fraction ${fraction}: ${found}`);
    }
  });

  test(`${theme}: hues and ink are distinguishable with any colour vision`, () => {
    const all = [...hues, "ink" as const];
    for (const [name, vision] of Object.entries(visions)) {
      all.forEach((a, i) => {
        for (const b of all.slice(0, i)) {
          const found = distance(parseColour(palette[a]), parseColour(palette[b]), vision);
          // Five times what can just be noticed, since lines are thin; Okabe and Ito's own have 16 on white.
          assert.ok(found >= 12, `${name}: ${a}, ${b}: ${found}`);
        }
      });
    }
  });
}

test("no two colours of the light palette are the same: a page knows each by its value", () => {
  assert.equal(new Set(Object.values(colours)).size, Object.keys(colours).length);
});

const log = Array.from({ length: 8 }, (_, i) => ({
  epoch: i + 1,
  trainLoss: 1 / (i + 1),
  trainAccuracy: 0.5,
  testAccuracy: 0.6,
  learningRate: 0.01,
  examplesPerSecond: 100,
}));

function evaluation(): Evaluation {
  const [confusion, calibration] = [countConfusion(["a", 'fill="#ffffff"']), countCalibration()];
  for (const [truth, predicted] of [
    [0, 0],
    [0, 1],
    [1, 1],
  ] as const)
    confusion.add(truth, predicted);
  calibration.add(0.7, true);
  return { ...confusion.result(), calibration: calibration.result() } as Evaluation;
}

/** Every kind of drawing there is. */
async function drawings(): Promise<readonly string[]> {
  const run = {
    run: "r",
    state: "finished",
    network: "n",
    dataset: "d",
    epoch: 8,
    epochs: 8,
    iteration: 8,
    seconds: 1,
  } as const;
  const runs = [..."ABCDEFGH"].map((letter) => ({ ...run, letter, parameters: 1, macs: 1, log }));
  const points = [0.001, 0.01, 0.1].map((learningRate) => ({ learningRate, loss: 1, smoothed: 1 / learningRate }));
  const rates = {
    network: "n",
    dataset: "d",
    recipe: "r",
    points,
    suggestions: { steepest: 0.01, minimumTenth: 0.02 },
  };
  const trials = [0.1, 0.2].map((value, i) => ({
    number: i,
    values: { value },
    status: "finished",
    bestAccuracy: value,
  }));
  return [
    await drawCurves(curvesOf(log), { title: "t", format: "wide" }),
    await drawCurves(curvesOf([]), { title: "t", format: "narrow" }),
    ...[...(await evaluationCharts(evaluation(), "t")), ...(await logCharts(log, "t", () => false))].map(
      ({ svg }) => svg,
    ),
    await drawComparison(runs, comparedMeasures.accuracy),
    await drawRateFigure(rates as unknown as Parameters<typeof drawRateFigure>[0]),
    await drawSweepFigure(trials as unknown as Parameters<typeof drawSweepFigure>[0]),
    drawNetwork(findNetwork("alexnet"), "light"),
  ];
}

test("every colour of every drawing follows the reader's scheme, and nothing else of it changes", async () => {
  for (const svg of await drawings()) {
    const shown = inPage(svg);
    const painted = [...shown.matchAll(/<[^<>]*>/g)].flatMap(([tag]) =>
      [...tag.matchAll(/\b(?:fill|stroke)="([^"]*)"/g)].map(([, paint = ""]) => paint),
    );
    // At least its background and its title.
    assert.ok(painted.length >= 2);
    for (const paint of painted)
      assert.match(paint, /^(none|transparent|var\(--chart-\w+, #\w{6}\))$/, svg.slice(0, 300));
    assert.equal(shown.replace(/var\(--chart-\w+, (#\w{6})\)/g, "$1").replace(' aria-hidden="true"', ""), svg);
    assert.doesNotMatch(svg, /var\(/);
  }
});

test("what is used has a value in both schemes", async () => {
  const used = new Set((await drawings()).flatMap((svg) => inPage(svg).match(/--chart-\w+/g) ?? []));
  for (const theme of themes) for (const name of used) assert.ok(themeVariables(theme).includes(`${name}: #`), name);
  // A class with the name of an attribute stays as it is.
  assert.equal(
    inPage('<text fill="#222222">fill="#222222"</text>'),
    '<text fill="var(--chart-ink, #222222)">fill="#222222"</text>',
  );
});
