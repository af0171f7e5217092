import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { curvesOf } from "../charts/curveSeries.ts";
import { drawCurves } from "../charts/curves.ts";
import { type LiveData, livePieces, livePolicy, renderLivePage } from "./livePage.ts";

const data: LiveData = {
  title: "tiny on <b>",
  directory: "runs/<i>",
  status: "Training. <u>",
  figures: {
    epoch: 1.5,
    epochs: 3,
    iteration: 1200,
    seconds: 61,
    watched: "validation",
    accuracy: "accuracy",
    secondsLeft: 30,
    trainLoss: 1,
  },
  curves: {
    wide: await drawCurves(curvesOf([]), { title: "t", format: "wide" }),
    narrow: await drawCurves(curvesOf([]), { title: "t", format: "narrow" }),
    description: "Loss <em>",
  },
  command: "alexnet train '<s>'",
};

test("all text is escaped, every piece has its place, and figures that are not known are dashes", () => {
  const pieces = livePieces(data);
  const page = renderLivePage(data, pieces, 'v"1');
  for (const id of Object.keys(pieces)) assert.equal(page.split(`id="${id}"`).length, 2, id);
  for (const tag of ["<b>", "<i>", "<u>", "<s>", "<em>"]) assert.ok(!page.includes(tag), tag);
  assert.ok(page.includes('data-version="v&quot;1"'));
  assert.match(pieces.figures, /<dt>epoch<\/dt><dd>1\.5 of 3<\/dd>/);
  assert.match(pieces.figures, /<dt>time left<\/dt><dd>30 s<\/dd>/);
  assert.match(pieces.figures, /<dt>best validation accuracy<\/dt><dd>–<\/dd>/);
});

test("the curves are described by a piece, and accuracies have the name of the run's", () => {
  const figures = { ...data.figures, accuracy: "exact match at 50.0 %", bestAccuracy: 0.5 };
  const pieces = livePieces({ ...data, figures });
  for (const name of ["train", "validation", "best validation"]) {
    assert.ok(pieces.figures.includes(`<dt>${name} exact match at 50.0 %</dt>`), name);
  }
  assert.doesNotMatch(pieces.figures, /accuracy/);
  const page = renderLivePage(data, pieces, "1");
  assert.match(page, /<p id="description">Loss &lt;em&gt;<\/p>\n<figure [^>]*aria-labelledby="description"/);
});

test("the policy lets the page's own scripts run, and nothing be loaded from elsewhere", () => {
  const page = renderLivePage(data, livePieces(data), "1");
  const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text = ""]) => text);
  const sources = scripts.map((script) => `'sha256-${createHash("sha256").update(script).digest("base64")}'`);
  assert.equal(sources.length, 2);
  assert.ok(livePolicy.includes(`script-src ${sources.join(" ")};`));
  assert.doesNotMatch(page.replaceAll(/xmlns[:\w]*="[^"]*"/g, ""), /https?:/);
});
