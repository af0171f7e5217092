import assert from "node:assert/strict";
import { test } from "node:test";
import { uniform } from "../../test/chains.ts";
import { placeBuffers } from "./placement.ts";

/** Buffers of random sizes that live between random steps; some to the end. */
function randomBuffers(seed: number, count: number) {
  const draws = uniform(`buffers ${seed}`, 3 * count, 0, 1);
  return Array.from({ length: count }, (_, i) => {
    const [size = 0, first = 0, length = 0] = draws.subarray(3 * i, 3 * i + 3);
    const firstStep = Math.floor(40 * first);
    return {
      bytes: Math.floor(1 + 1e5 * size ** 3),
      firstStep,
      lastStep: length > 0.9 ? Infinity : firstStep + Math.floor(20 * length),
    };
  });
}

test("buffers that are alive together never share memory; the arena holds all, and less than all side by side", () => {
  for (let seed = 0; seed < 50; seed++) {
    const buffers = randomBuffers(seed, 60);
    const { offsets, bytes } = placeBuffers(buffers);
    const places = buffers.map((buffer, i) => ({
      ...buffer,
      start: offsets[i] as number,
      end: (offsets[i] as number) + buffer.bytes,
    }));
    for (const [i, a] of places.entries()) {
      assert.ok(a.start >= 0 && a.end <= bytes, `buffer ${i} of seed ${seed}`);
      for (const b of places.slice(i + 1)) {
        const alive = a.firstStep <= b.lastStep && b.firstStep <= a.lastStep;
        assert.ok(!alive || a.end <= b.start || b.end <= a.start, `seed ${seed}`);
      }
    }
    assert.ok(bytes < buffers.reduce((sum, buffer) => sum + buffer.bytes, 0), `seed ${seed}: ${bytes} bytes`);
  }
});

test("what lives one after the other shares one place", () => {
  const buffers = [0, 1, 2, 3].map((step) => ({ bytes: 4096, firstStep: step, lastStep: step }));
  assert.deepEqual(placeBuffers(buffers), { offsets: [0, 0, 0, 0], bytes: 4096 });
});

test("an order is chosen in which nothing lies in the way: the arena is as large as what is alive at once", () => {
  // A convolution's output, pooled, activated; then the gradients of the three. Largest first would leave a gap of 4,096 × 4.
  const sizes = [16, 4, 4, 4, 16].map((pages) => 4096 * pages);
  const lives = [
    [0, 1],
    [1, 4],
    [2, 3],
    [3, 6],
    [6, 7],
  ] as const;
  const buffers = lives.map(([firstStep, lastStep], i) => ({ bytes: sizes[i] as number, firstStep, lastStep }));
  const alive = (step: number) =>
    buffers.reduce((sum, b) => (b.firstStep <= step && step <= b.lastStep ? sum + b.bytes : sum), 0);
  const most = Math.max(...Array.from({ length: 8 }, (_, step) => alive(step)));
  assert.equal(placeBuffers(buffers).bytes, most);
});
