/** Cautions about results of given arms, by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ArmResult, SeedResult } from "./armResults.ts";
import { cautionsOf } from "./cautions.ts";
import { findExperiment } from "./experiments.ts";
import { type Changes, scaled } from "./scaledExperiment.ts";

function result(arm: string, statuses: readonly SeedResult["status"][], chosen?: number): ArmResult {
  const seeds = statuses.map((status, seed) => ({ seed, runs: [], status, measures: {}, seconds: 1, log: [] }));
  return { arm, values: {}, seeds, ...(chosen === undefined ? {} : { chosen }) };
}

const cautions = (name: string, changes: Changes, results: readonly ArmResult[] = []) =>
  cautionsOf(scaled(findExperiment(name), changes), results);

test("a run that diverged is named with its seeds", () => {
  assert.deepEqual(cautions("fit", {}, [result("pad", ["finished", "diverged"]), result("crop", ["finished"])]), [
    "Diverged: pad (1 of 2 seeds).",
  ]);
});

test("a learning rate at an end of the grid is named; one inside, and a single one, are not", () => {
  const chosen = (search: readonly number[], value: number) =>
    cautions("relu-tanh", { search }, [result("tanh, paper", ["finished"], value)]);
  assert.deepEqual(chosen([0.01, 0.03, 0.1], 0.1), [
    "The best learningRate is an end of the tried range for tanh, paper (0.1), so a better value may lie outside.",
  ]);
  assert.deepEqual([chosen([0.01, 0.03, 0.1], 0.03), chosen([0.1], 0.1)], [[], []]);
});

test("a changed setting is named if the configurations differ in it, also in a member of their recipes", () => {
  assert.deepEqual(cautions("data-size", { settings: { trainLimit: 500, testLimit: 100 } }), [
    "The changed settings replace trainLimit, in which the configurations differ.",
  ]);
  assert.deepEqual(cautions("modern-small", { settings: { learningRate: 0.1, epochs: 3 } }), [
    "The changed settings replace learningRate, in which the configurations differ.",
  ]);
  const arms = ["no normalization", "local response normalization"];
  assert.deepEqual(cautions("lrn-cifar10", { settings: { epochs: 16 }, arms }), []);
  assert.equal(cautions("lrn-cifar10", { settings: { epochs: 16 } }).length, 1, "an arm has epochs of its own");
});
