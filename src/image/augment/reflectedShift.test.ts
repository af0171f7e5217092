import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRandomChanges } from "./randomChanges.ts";
import { createReflectedShift, reflectedIndex } from "./reflectedShift.ts";

const [channels, height, width] = [2, 4, 5] as const;

/** An input among other values, each value its own index. */
function planesOf() {
  const target = Float32Array.from({ length: 3 + channels * height * width + 4 }, (_, i) => i);
  return { target, offset: 3, channels, height, width };
}

describe("crop after padding by reflection", () => {
  test("indices: numpy.pad(numpy.arange(n), 5, 'reflect')", () => {
    const padded = { 1: "00000000000", 2: "101010101010", 3: "1012101210121", 4: "12321012321012" };
    for (const [n, expected] of Object.entries(padded)) {
      const places = Array.from({ length: Number(n) + 10 }, (_, i) => reflectedIndex(i - 5, Number(n)));
      assert.equal(places.join(""), expected);
    }
  });

  test("every shift is a window of the padded input; the memory around it stays", () => {
    const shift = createReflectedShift();
    const given = planesOf();
    const mirrored = (place: number, n: number) => (place < 0 ? -place : place >= n ? 2 * n - 2 - place : place);
    for (let right = -2; right <= 2; right++) {
      for (let down = -2; down <= 2; down++) {
        const planes = planesOf();
        shift(planes, right, down);
        const expected = given.target.map((value, i) => {
          const at = i - given.offset;
          if (at < 0 || at >= channels * height * width) return value;
          const [c, y, x] = [Math.floor(at / (height * width)), Math.floor(at / width) % height, at % width];
          return given.offset + (c * height + mirrored(y - down, height)) * width + mirrored(x - right, width);
        });
        assert.deepEqual(planes.target, expected, `${right}, ${down}`);
      }
    }
  });

  test("distances: uniform within reach, a function of seed, epoch and index", () => {
    const corner = (seed: number, index: number) => {
      const planes = planesOf();
      const changes = createRandomChanges({ reflectCrop: 0.4 }, seed, undefined);
      changes.begin(2, index);
      changes.finish(planes);
      return planes.target.subarray(3, 3 + height * width).join();
    };
    const uses = Array.from({ length: 500 }, (_, index) => corner(1, index));
    // Two pixels in either direction: 25 windows, 20 times each on average, with a deviation of 4.4.
    const counts = [...new Set(uses)].map((use) => uses.filter((each) => each === use).length);
    assert.equal(counts.length, 25);
    assert.ok(Math.max(...counts) < 42 && Math.min(...counts) > 3, `${counts}`);
    assert.equal(corner(1, 7), uses[7]);
    assert.ok(uses.some((use, index) => use !== corner(2, index)));
  });
});
