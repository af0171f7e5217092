import assert from "node:assert/strict";
import { test } from "node:test";
import { drawFilters } from "./filterGrid.ts";

test("colour filters: each with its own contrast, channels side by side, white between them", () => {
  // Two filters of 1×2 weights: [channel][x].
  const first = [1, -1, 0, 0.5, -0.5, 0];
  const second = [0.01, 0, 0, 0, 0, -0.01];
  const { width, height, channels, data } = drawFilters(new Float32Array([...first, ...second]), [2, 3, 1, 2]);
  assert.deepEqual([width, height, channels], [7, 3, 3]);
  const pixel = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
  assert.deepEqual(pixel(1, 1), [255, 128, 64]);
  assert.deepEqual(pixel(2, 1), [0, 191, 128]);
  assert.deepEqual(pixel(4, 1), [255, 128, 128]);
  assert.deepEqual(pixel(5, 1), [128, 128, 0]);
  for (const [x, y] of [
    [0, 1],
    [3, 1],
    [6, 1],
    [1, 0],
    [1, 2],
  ] as const)
    assert.deepEqual(pixel(x, y), [255, 255, 255]);
});

test("grey filters have one channel; 96 of 11×11 lie in 14 columns; a filter of zeros is mid-grey", () => {
  const { width, height, channels, data } = drawFilters(new Float32Array(96 * 121), [96, 1, 11, 11]);
  assert.deepEqual([width, height, channels], [14 * 12 + 1, 7 * 12 + 1, 1]);
  assert.equal(data[width + 1], 128);
});
