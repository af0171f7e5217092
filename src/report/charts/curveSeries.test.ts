import assert from "node:assert/strict";
import { test } from "node:test";
import { collectCurves, collectSeries, lastOf, niceStep, seriesOf } from "./curveSeries.ts";

test("thinning keeps the mean, the order and at most 600 points", () => {
  for (const count of [0, 1, 599, 600, 601, 12_345]) {
    const entries = Array.from({ length: count }, (_, i) => ({
      epoch: i,
      trainLoss: (i * 7919) % 101,
      trainAccuracy: 0,
    }));
    const { points, linesPerPoint, last } = seriesOf("train loss", entries, (entry) => entry.trainLoss);
    assert.equal(points.length, Math.ceil(count / linesPerPoint));
    assert.ok(points.length <= 600);
    assert.equal(last, entries.at(-1)?.trainLoss);
    const lines = (i: number) => Math.min(linesPerPoint, count - i * linesPerPoint);
    const total = points.reduce((sum, { value }, i) => sum + value * lines(i), 0);
    const expected = entries.reduce((sum, { trainLoss }) => sum + trainLoss, 0);
    // Sums of 10^4 doubles of at most 101.
    assert.ok(Math.abs(total - expected) < 1e-6, `${total} for ${expected}`);
    points.slice(1).forEach(({ epoch }, i) => {
      assert.ok(epoch > (points[i]?.epoch ?? epoch));
    });
  }
});

test("a million lines keep 600 points, whatever is added later, and each line is counted once", () => {
  const rate = collectSeries("learning rate", lastOf);
  const curves = collectCurves();
  for (let i = 1; i <= 1_000_000; i++) {
    rate.add(i, i);
    curves.add({
      epoch: i,
      trainLoss: 1,
      trainAccuracy: 0.5,
      ...(i % 10 === 0 ? { testLoss: 2, testAccuracy: 0.5 } : {}),
    });
  }
  const { points, linesPerPoint } = rate.series();
  assert.ok(points.length > 300 && points.length <= 600, `${points.length}`);
  assert.equal(Math.log2(linesPerPoint) % 1, 0);
  // A value that is set is the last of its lines.
  points.forEach(({ epoch, value }, i) => {
    assert.equal(epoch, Math.min((i + 1) * linesPerPoint, 1_000_000));
    assert.equal(value, epoch);
  });
  const { trainLoss, trainAccuracy, testLoss, testAccuracy, lastEpoch } = curves.curves();
  assert.equal(lastEpoch, 1_000_000);
  for (const { points } of [trainLoss, trainAccuracy, testLoss, testAccuracy]) {
    assert.ok(points.length > 300 && points.length <= 600, `${points.length}`);
  }
});

test("an axis reaches its top, wastes at most a quarter and has short labels", () => {
  for (let top = 1e-6; top < 1e7; top *= 1.0137) {
    const step = niceStep(top, 5);
    assert.ok(5 * step >= top * (1 - 1e-9), `${top}: ${step}`);
    assert.ok(top >= 0.74 * 5 * step, `${top}: ${step}`);
    assert.equal(Number(step.toPrecision(2)), step);
  }
  assert.deepEqual(
    [0, 2.3, 2.5, 6.91, 0.4].map((top) => niceStep(top, 5)),
    [0.2, 0.5, 0.5, 1.5, 0.08],
  );
});
