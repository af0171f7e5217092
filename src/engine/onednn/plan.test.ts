import assert from "node:assert/strict";
import { test } from "node:test";
import { uniform } from "../../../test/chains.ts";
import { placeBuffers } from "./plan.ts";

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
