import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes } from "../bytes.ts";
import {
  formatCount,
  formatDuration,
  formatError,
  formatLoss,
  formatMagnitude,
  formatMillions,
  formatPercent,
  formatRate,
} from "./numbers.ts";

test("numbers are grouped, rounded and carry their unit", () => {
  assert.equal(formatCount(1_234_567), "1,234,567");
  assert.equal(formatPercent(0.878), "87.8 %");
  assert.equal(formatPercent(1), "100.0 %");
  // 87.75 and 12.25 would both be rounded up.
  assert.deepEqual([formatPercent(0.8775), formatError(0.8775)], ["87.8 %", "12.2 %"]);
  assert.equal(formatLoss(0.33), "0.330");
  assert.equal(formatMillions(62_365_122), "62.4 million");
  assert.equal(formatMillions(44_426), "44,426");
  assert.equal(formatMillions(1_064_989_296), "1,065.0 million");
  assert.equal(formatRate(3942.4, "images"), "3,942 images/s");
  assert.equal(formatRate(52.34, "images"), "52.3 images/s");
});

test("magnitudes keep three digits where rounding carries", () => {
  assert.deepEqual([0.0123, 8.254, 9.999, 99.94, 99.96, 100.4].map(formatMagnitude), [
    "0.0123",
    "8.25",
    "10.0",
    "99.9",
    "100",
    "100",
  ]);
});

test("bytes change their unit where the rounded number has four digits", () => {
  assert.deepEqual([0, 999, 1000, 999_499, 999_600, 249_460_488, 1.5e12].map(formatBytes), [
    "0 B",
    "999 B",
    "1.00 kB",
    "999 kB",
    "1.00 MB",
    "249 MB",
    "1.50 TB",
  ]);
});

test("durations are read in two units", () => {
  assert.deepEqual([0, 4.23, 9.96, 41.7, 59.6, 192, 3599.7, 3720, 86_399, 5.5 * 86_400].map(formatDuration), [
    "0.0 s",
    "4.2 s",
    "10 s",
    "42 s",
    "1 min 0 s",
    "3 min 12 s",
    "1 h 0 min",
    "1 h 2 min",
    "1 d 0 h",
    "5 d 12 h",
  ]);
  assert.equal(formatDuration(Number.POSITIVE_INFINITY), "–");
});

test("a duration read back is the one that was written, to half of its smaller unit", () => {
  const seconds = { d: 86_400, h: 3600, min: 60, s: 1 };
  for (let duration = 0.3; duration < 1e6; duration *= 1.003) {
    const parts = [...formatDuration(duration).matchAll(/([\d.]+) (d|h|min|s)/g)];
    const units = parts.map(([, , unit]) => seconds[unit as keyof typeof seconds]);
    const read = parts.reduce((sum, [, count], i) => sum + Number(count) * (units[i] ?? 0), 0);
    const smallest = duration < 9.95 ? 0.1 : (units.at(-1) ?? 0);
    assert.ok(Math.abs(read - duration) <= smallest / 2 + 1e-6, `${duration} s: ${formatDuration(duration)}`);
    parts.slice(1).forEach(([, count], i) => {
      assert.ok(Number(count) < (units[i] ?? 0) / (units[i + 1] ?? 1), formatDuration(duration));
    });
  }
});
