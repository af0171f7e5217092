/** Memory of exchanges in progress. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CONTROL_BYTES, type Exchange, kinds, openControl } from "./control.ts";
import { createQueue } from "./exchangeQueue.ts";

type Range = readonly [start: number, end: number];

/** Addresses that an exchange of f32 sums, or a gather of two processes, uses. */
function rangesOf({ kind, from, to, count }: Exchange): readonly Range[] {
  const [start, target] = [Number(from), Number(to)];
  if (kind === kinds.sumFloat) return [[start, start + 4 * count]];
  // The last part of a sum of parts: those before it have the same target.
  if (kind === kinds.reduceFloat) {
    return [
      [start - 4 * count, start + 4 * count],
      [target, target + 4 * count],
    ];
  }
  return [
    [start, start + count],
    [target, target + 2 * count],
  ];
}

test("exchanges in progress never share memory", () => {
  const control = openControl(new SharedArrayBuffer(CONTROL_BYTES));
  let inProgress: Range[] = [];
  // This thread completes all exchanges when the queue waits.
  const waitForCompletion = (): undefined => {
    while (control.pending() > 0) control.complete();
    inProgress = [];
  };
  const queue = createQueue({ ...control, waitForCompletion }, 2);
  for (let i = 0; i < 10_000; i++) {
    const bytes = 8 * (1 + ((37 * i) % 511));
    if (i % 3 === 0) queue.gather(new Uint8Array(bytes / 2), new Uint8Array(bytes));
    else if (i % 3 === 1) queue.scatterSum(new Float32Array(bytes / 4), new Float32Array(bytes / 8));
    else queue.sum(new Float32Array(bytes / 4));
    const ranges = rangesOf(control.read(control.issued() - 1));
    for (const [from, to] of ranges) {
      assert.ok(
        inProgress.every(([start, end]) => to <= start || end <= from),
        `exchange ${i}`,
      );
    }
    inProgress.push(...ranges);
  }
  queue.wait();
  assert.equal(control.pending(), 0);
});
