import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRandomNumbers } from "../augment/randomChanges.ts";
import { createNormalizer, type MeanPlanes, type Patch, type Planes } from "./normalize.ts";

const mean = [0.485, 0.456, 0.406];
const deviation = [0.229, 0.224, 0.225];

/** A patch of 5 × 4 pixels in an image of 9 × 7, at the left and above, in its place in an input. */
function patchOf(channels: 1 | 3, change: Partial<Patch> = {}): Patch {
  const data = Uint8Array.from({ length: 63 * channels }, (_, i) => (37 * i * i + 11 * i) % 251);
  const place = { left: 2, top: 3, width: 5, height: 4, toLeft: 0, toTop: 0 };
  return { data, rowBytes: 9 * channels, channels, dataLeft: 0, dataTop: 0, flip: false, ...place, ...change };
}

function planesOf(channels: number, width: number, height: number): Planes {
  return { target: new Float32Array(channels * width * height + 20).fill(7), offset: 10, channels, width, height };
}

/** Value by value, from the formula. */
function expectedOf(patch: Patch, noise: readonly number[], to: Planes, means?: MeanPlanes): Float32Array {
  const expected = new Float32Array(to.target.length).fill(7);
  for (let i = 0; i < to.channels * to.height * to.width; i++) {
    const [c, y] = [Math.floor(i / (to.width * to.height)), Math.floor(i / to.width) % to.height];
    const x = patch.flip ? to.width - 1 - (i % to.width) : i % to.width;
    const [row, column] = [y - patch.toTop, x - patch.toLeft];
    const isInside = row >= 0 && row < patch.height && column >= 0 && column < patch.width;
    const [top, left] = [patch.top + row, patch.left + column];
    const level = patch.data[top * patch.rowBytes + left * patch.channels + (c % patch.channels)] ?? 0;
    const value = Math.fround((level / 255 + (noise[c] ?? 0) - (mean[c] ?? 0)) / (deviation[c] ?? 1));
    const at = (patch.dataTop + top) * (means?.width ?? 0) + patch.dataLeft + left;
    expected[to.offset + i] = isInside ? value - (means?.planes[c]?.[at] ?? 0) : 0;
  }
  return expected;
}

const places: readonly Partial<Patch>[] = [
  {},
  { toLeft: 3, toTop: 1 },
  { toLeft: 3, toTop: 3 },
  { left: 0, top: 0, width: 1, height: 1, toLeft: 7, toTop: 6 },
  { left: 8, top: 6, width: 1, height: 1 },
  { left: 0, top: 0, width: 8, height: 7 },
  { width: 0, height: 4 },
];

/** A patch of an image of 20 × 15; its data is a part of the image. */
const { uniform } = createRandomNumbers(1, "normalize.test");
const meanImage: MeanPlanes = {
  planes: [0, 1, 2].map(() => Float32Array.from({ length: 300 }, uniform)),
  width: 20,
};

describe("createNormalizer: the formula to the bit, and nothing else written", () => {
  for (const means of [undefined, meanImage]) {
    for (const [channels, planes] of [
      [1, 1],
      [1, 3],
      [3, 3],
    ] as const) {
      test(`${channels} channels to ${planes} planes${means ? " less the mean image" : ""}`, () => {
        const scale = [mean.slice(0, planes), deviation.slice(0, planes)] as const;
        const less = means && { ...means, planes: means.planes.slice(0, planes) };
        const normalize = createNormalizer(...scale, less);
        for (const flip of [false, true]) {
          for (const place of places) {
            for (const noise of [undefined, [0.1, -0.2, 0.05], undefined]) {
              const patch = patchOf(channels, { ...place, flip, dataLeft: 11, dataTop: 8 });
              const to = planesOf(planes, 8, 7);
              normalize(patch, noise, to);
              assert.deepEqual(
                to.target,
                expectedOf(patch, noise ?? [], to, less),
                JSON.stringify({ place, flip, noise }),
              );
            }
          }
        }
      });
    }
  }

  test("reflected twice is as it was", () => {
    const normalize = createNormalizer(mean, deviation, undefined);
    const [once, straight] = [planesOf(3, 5, 4), planesOf(3, 5, 4)];
    normalize(patchOf(3, { flip: true }), undefined, once);
    normalize(patchOf(3), undefined, straight);
    for (let row = 0; row < 12; row++) once.target.subarray(10 + 5 * row, 15 + 5 * row).reverse();
    assert.deepEqual(once.target, straight.target);
  });
});
