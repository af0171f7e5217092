/** Affine maps and vertical flips against their definitions: exact cases, and a formula evaluated pixel by pixel. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Planes } from "../prepare/normalize.ts";
import { createRandomChanges } from "./randomChanges.ts";
import { type AffineValues, createWarp, flipRows, inverseMap } from "./warp.ts";

const none: AffineValues = { angle: 0, shear: 0, scale: 1, right: 0, down: 0 };

/** Planes with a different value in each pixel, in memory with other values before and after. */
function planesOf(width: number, height: number, channels = 2): Planes {
  const target = Float32Array.from({ length: channels * width * height + 7 }, (_, i) => 1 + ((i * 37) % 101));
  return { target, offset: 3, channels, width, height };
}

function valuesOf({ target, offset, channels, width, height }: Planes): readonly number[] {
  return [...target.subarray(offset, offset + channels * width * height)];
}

/** The values after a map; those of other images in the memory must stay. */
function warped(planes: Planes, values: Partial<AffineValues>): readonly number[] {
  const copy = { ...planes, target: planes.target.slice() };
  createWarp()(copy, inverseMap({ ...none, ...values }, planes));
  const [end, length] = [copy.offset + valuesOf(copy).length, copy.target.length];
  assert.deepEqual(copy.target.subarray(0, 3), planes.target.subarray(0, 3));
  assert.deepEqual(copy.target.subarray(end, length), planes.target.subarray(end, length));
  return valuesOf(copy);
}

/** The value at a pixel of an image, 0 outside. */
function pixel(planes: Planes, c: number, x: number, y: number): number {
  const { target, offset, width, height } = planes;
  const isInside = x >= 0 && x < width && y >= 0 && y < height;
  return isInside ? (target[offset + (c * height + y) * width + x] as number) : 0;
}

/** An image whose pixel (x, y) is that of another image at `from(x, y)`. */
function remapped(planes: Planes, from: (x: number, y: number) => readonly [number, number]): readonly number[] {
  const { width, height, channels } = planes;
  return Array.from({ length: channels * width * height }, (_, i) => {
    const [c, y, x] = [Math.floor(i / (width * height)), Math.floor(i / width) % height, i % width];
    return pixel(planes, c, ...from(x, y));
  });
}

/** Interpolated values have rounding errors of f32, relative to values of about 100. */
function assertClose(actual: readonly number[], expected: readonly number[], error = 1e-4): void {
  assert.equal(actual.length, expected.length);
  for (const [i, value] of actual.entries())
    assert.ok(Math.abs(value - (expected[i] as number)) < error, `${i}: ${value}, ${expected[i]}`);
}

describe("affine maps", () => {
  test("no change, whole turns and shifts are exact", () => {
    const square = planesOf(6, 6);
    assert.deepEqual(warped(square, {}), valuesOf(square));
    // Clockwise by a quarter: the left column becomes the upper row.
    assertClose(
      warped(square, { angle: 90 }),
      remapped(square, (x, y) => [y, 5 - x]),
    );
    assertClose(
      warped(square, { angle: -90 }),
      remapped(square, (x, y) => [5 - y, x]),
    );
    const wide = planesOf(7, 4);
    assertClose(
      warped(wide, { angle: 180 }),
      remapped(wide, (x, y) => [6 - x, 3 - y]),
    );
    assertClose(
      warped(wide, { right: 2, down: -1 }),
      remapped(wide, (x, y) => [x - 2, y + 1]),
    );
  });

  test("scale, shear and angles: bilinear interpolation at the inverse of the forward map", () => {
    const planes = planesOf(9, 5, 1);
    const cases: readonly AffineValues[] = [
      { ...none, scale: 2 },
      { ...none, scale: 0.6, right: 1 },
      { ...none, shear: 30 },
      { angle: 25, shear: -10, scale: 1.1, right: 1, down: -1 },
    ];
    for (const values of cases) {
      const { angle, shear, scale, right, down } = values;
      const [theta, phi] = [(angle * Math.PI) / 180, (shear * Math.PI) / 180];
      /** Forward: shear along x, rotation, scale, shift, about the centre. */
      const forward = (x: number, y: number) => {
        const [u, v] = [x - 4 - (y - 2) * Math.tan(phi), y - 2];
        return [
          4 + right + scale * (u * Math.cos(theta) - v * Math.sin(theta)),
          2 + down + scale * (u * Math.sin(theta) + v * Math.cos(theta)),
        ] as const;
      };
      const { a, b, c, d, e, f } = inverseMap(values, planes);
      const expected = Array.from({ length: 45 }, (_, i) => {
        const [px, py] = [i % 9, Math.floor(i / 9)];
        const [x, y] = [a * px + b * py + e, c * px + d * py + f];
        assertClose(forward(x, y), [px, py], 1e-9);
        const [left, top] = [Math.floor(x), Math.floor(y)];
        let sum = 0;
        for (const [dx, dy] of [
          [0, 0],
          [1, 0],
          [0, 1],
          [1, 1],
        ] as const) {
          const weight = (1 - Math.abs(x - left - dx)) * (1 - Math.abs(y - top - dy));
          sum += weight * pixel(planes, 0, left + dx, top + dy);
        }
        return sum;
      });
      assertClose(warped(planes, values), expected);
    }
  });
});

test("a vertical flip reverses the rows of every channel", () => {
  for (const height of [4, 5]) {
    const planes = planesOf(3, height);
    const expected = remapped(planes, (x, y) => [x, height - 1 - y]);
    flipRows(planes);
    assert.deepEqual(valuesOf(planes), expected);
  }
});

test("uses differ, repeat by seed, epoch and index, and stay within the strengths", () => {
  const finished = (augmentation: Parameters<typeof createRandomChanges>[0], index: number, seed = 1) => {
    const planes = planesOf(16, 16);
    const changes = createRandomChanges(augmentation, seed, undefined);
    changes.begin(0, index);
    changes.finish(planes);
    return valuesOf(planes);
  };
  const augmentation = { rotate: 30, affine: { translate: 0.2, scale: 0.2, shear: 10 } };
  const results = Array.from({ length: 20 }, (_, index) => JSON.stringify(finished(augmentation, index)));
  assert.equal(new Set(results).size, 20);
  assert.equal(JSON.stringify(finished(augmentation, 7)), results[7]);
  assert.notEqual(JSON.stringify(finished(augmentation, 7, 2)), results[7]);
  assert.deepEqual(
    finished({ rotate: 0, affine: { translate: 0, scale: 0, shear: 0 } }, 3),
    valuesOf(planesOf(16, 16)),
  );
  // 200 of 400, standard deviation 10; five of them.
  const upright = JSON.stringify(valuesOf(planesOf(16, 16)));
  const flips = Array.from({ length: 400 }, (_, i) => JSON.stringify(finished({ verticalFlip: 0.5 }, i))).filter(
    (each) => each !== upright,
  );
  assert.ok(Math.abs(flips.length - 200) < 50, `${flips.length}`);
});
