import assert from "node:assert/strict";
import { test } from "node:test";
import { firstNonFinite, nonFiniteProblem } from "./finite.ts";

test("finds a single value in every place, of every length", () => {
  for (const type of [Float32Array, Float64Array]) {
    for (let length = 0; length < 11; length++) {
      const values = new type(length).fill(-3.4e38);
      assert.equal(firstNonFinite(values), -1);
      for (const bad of [Number.NaN, Infinity, -Infinity]) {
        for (let at = 0; at < length; at++) assert.equal(firstNonFinite(values.with(at, bad)), at);
      }
    }
  }
});

test("the extremes of f64 and denormal numbers are finite", () => {
  assert.equal(firstNonFinite(Float64Array.of(Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, -0, 0)), -1);
});

test("the complaint has the first value, its index, and how many there are", () => {
  const values = Float32Array.of(1, 2, -Infinity, 3, Number.NaN);
  assert.equal(nonFiniteProblem(values), "expected finite numbers, got -Infinity at index 2 (2 of 5 are not finite)");
  assert.equal(nonFiniteProblem(values.subarray(0, 2)), undefined);
});
