import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eraseRectangle } from "./erase.ts";
import { createDraws } from "./randomStreams.ts";

const size = { width: 224, height: 200 };

function numbersOf(numbers: readonly number[]) {
  let used = 0;
  return { draw: () => numbers[used++ % numbers.length] as number, used: () => used };
}

describe("eraseRectangle", () => {
  test("area, shape, row and column are those drawn", () => {
    // (0.02 + 0.5 · 0.31) · 44800 = 7840; shape √(0.3 · 3.3) = 0.99499: 88.3 high, 88.8 wide. Rows 0 … 112, columns 0 … 135.
    const { draw, used } = numbersOf([0.5, 0.5, 0.25, 0.999]);
    assert.deepEqual(eraseRectangle(size, draw), { left: 135, top: 28, width: 89, height: 88 });
    assert.equal(used(), 4);
  });

  test("nothing after ten attempts that do not fit", () => {
    const { draw, used } = numbersOf([0.999]);
    assert.equal(eraseRectangle({ width: 40, height: 4 }, draw), undefined);
    assert.equal(used(), 20);
    for (const width of [1, 2]) assert.equal(eraseRectangle({ width, height: 1 }, numbersOf([0.3]).draw), undefined);
  });

  test("inside, smaller than the whole, with areas and shapes within their limits", () => {
    const draws = createDraws(1, "erase.test");
    const shares: number[] = [];
    for (let i = 0; i < 4000; i++) {
      draws.begin(0, i);
      const rectangle = eraseRectangle(size, draws.uniform);
      assert.ok(rectangle);
      const { left, top, width, height } = rectangle;
      assert.ok(left >= 0 && top >= 0 && width < size.width && height < size.height);
      assert.ok(left + width <= size.width && top + height <= size.height);
      shares.push((width * height) / (size.width * size.height));
      // Sides of at least 16 pixels are rounded by half a pixel.
      assert.ok(height / width > 0.3 * 0.96 && height / width < 3.3 * 1.04);
    }
    assert.ok(shares.every((share) => share > 0.02 * 0.97 && share < 0.33 * 1.01));
    // All that is drawn fits but the longest; so the mean is a little below 0.175, deviation 0.0014.
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    assert.ok(mean > 0.16 && mean < 0.182, `${mean}`);
  });
});
