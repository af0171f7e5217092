/** Figures of folds: mean and deviation by hand, what a fold lacks, and the page. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FoldFigures, formatFolds, renderFolds, summarizeFolds } from "./foldsPage.ts";

const foldOf = (figures: FoldFigures["figures"]): FoldFigures => ({
  ...{ report: "fold-1/report.html", trainImages: 8, images: 4, epoch: 2, seconds: 3, figures },
});
const folds = [foldOf({ accuracy: 0.5, loss: 1 }), foldOf({ accuracy: 0.75, loss: 2 }), foldOf({ accuracy: 1 })];

test("mean and sample standard deviation of the figures that every fold has", () => {
  assert.deepEqual(summarizeFolds(folds), { accuracy: { mean: 0.75, deviation: 0.25 } });
  assert.deepEqual(summarizeFolds([foldOf({}), foldOf({})]), {});
});

test("the table and the page name the exact match of several labels, and escape texts", () => {
  assert.match(formatFolds({ folds, isMultiLabel: false }), /Accuracy/);
  assert.match(formatFolds({ folds, isMultiLabel: true }), /Exact match/);
  const page = renderFolds({ title: "a <b>", run: "runs/<i>", command: "alexnet <u>", isMultiLabel: true, folds });
  for (const tag of ["<b>", "<i>", "<u>"]) assert.ok(!page.includes(tag), tag);
  assert.ok(page.includes("<h1>a &lt;b&gt;: 3 folds</h1>") && page.includes("Exact match") && page.includes("25.0 %"));
});
