import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRandomNumbers } from "../augment/randomChanges.ts";
import { type PixelSize, type Rectangle, wholeOf } from "../image.ts";
import { createFit, type Fit, fitNames, fitProblem, fitSchema, frameOf, frameSizeOf, placementOf } from "./fit.ts";

const { uniform } = createRandomNumbers(5, "fit.test");

/** Sizes of inputs and images of all shapes; inputs are square where the fit wants it. */
function cases(count: number): { fit: Fit; size: PixelSize; picture: PixelSize }[] {
  const numbers = createRandomNumbers(6, "fit.test: sizes");
  const upTo = (limit: number) => 1 + Math.floor(limit * numbers.uniform() ** 2);
  return Array.from({ length: count }, (_, i) => {
    numbers.begin(0, i);
    const side = upTo(300);
    const name = fitNames[i % fitNames.length] as (typeof fitNames)[number];
    const isSquare = name === "crop" || name === "random-resized-crop";
    const size = { width: side, height: isSquare ? side : upTo(300) };
    const picture = name === "native" ? size : { width: upTo(900), height: upTo(900) };
    return { fit: createFit(name, size), size, picture };
  });
}

function assertInside({ left, top, width, height }: Rectangle, whole: PixelSize, what: string): void {
  for (const number of [left, top, width, height]) assert.ok(Number.isInteger(number), what);
  assert.ok(left >= 0 && top >= 0 && width >= 1 && height >= 1, what);
  assert.ok(left + width <= whole.width && top + height <= whole.height, what);
}

describe("every fit, at any size", () => {
  test("what is kept, the window and its place lie inside what they are parts of", () => {
    for (const { fit, size, picture } of cases(5000)) {
      const what = JSON.stringify({ fit, size, picture });
      assert.equal(fitProblem(fit, size), undefined, what);
      const { scaled, kept } = frameOf(fit, size, picture);
      assertInside(kept, scaled, what);
      for (const draw of [undefined, uniform, () => 0, () => 1 - 2 ** -32]) {
        const placement = placementOf(fit, size, kept, draw);
        assertInside(placement.window, kept, what);
        assertInside({ ...placement.size, left: placement.left, top: placement.top }, size, what);
      }
    }
  });

  test("the first step does nothing to what has been through it, and keeps the size that it says", () => {
    for (const { fit, size, picture } of cases(5000)) {
      const { kept } = frameOf(fit, size, picture);
      const again = { width: kept.width, height: kept.height };
      assert.deepEqual(frameOf(fit, size, again), { scaled: again, kept: wholeOf(again) });
      assert.deepEqual(frameSizeOf(fit, size) ?? again, again);
    }
  });

  test("evaluation takes the middle", () => {
    for (const { fit, size, picture } of cases(1000)) {
      const { scaled, kept } = frameOf(fit, size, picture);
      const { window, size: placed, left, top } = placementOf(fit, size, kept);
      assertCentred(kept, scaled);
      assertCentred(window, kept);
      assertCentred({ ...placed, left, top }, size);
    }
  });
});

function assertCentred({ left, top, width, height }: Rectangle, whole: PixelSize): void {
  assert.ok(Math.abs(2 * left + width - whole.width) <= 1);
  assert.ok(Math.abs(2 * top + height - whole.height) <= 1);
}

describe("crop", () => {
  test("training takes every window, about as often as any other", () => {
    const fit: Fit = { kind: "crop", shorterSide: 12 };
    const numbers = createRandomNumbers(7, "crop");
    const counts = new Map<string, number>();
    for (let i = 0; i < 25 * 400; i++) {
      numbers.begin(0, i);
      const { window } = placementOf(fit, { width: 8, height: 8 }, { width: 12, height: 12 }, numbers.uniform);
      const place = `${window.left} ${window.top}`;
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    assert.equal(counts.size, 25);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 400) ** 2 / 400, 0);
    // 24 degrees of freedom: above 62 once in 30,000 seeds.
    assert.ok(chiSquare < 62, `χ² = ${chiSquare}`);
  });

  test("256 for the published sizes, the same proportion for others", () => {
    const shorterSides = [224, 227, 32, 28].map((side) => createFit("crop", { width: side, height: side }));
    assert.deepEqual(
      shorterSides,
      [256, 256, 37, 32].map((shorterSide) => ({ kind: "crop", shorterSide })),
    );
  });
});

describe("random-resized-crop", () => {
  const fit: Extract<Fit, { kind: "random-resized-crop" }> = {
    kind: "random-resized-crop",
    shorterSide: 256,
    scale: [0.08, 1],
    ratio: [3 / 4, 4 / 3],
  };
  const size = { width: 224, height: 224 };
  const windowOf = (kept: PixelSize, numbers: readonly number[]) => {
    let used = 0;
    const draw = () => numbers[used++ % numbers.length] as number;
    return { ...placementOf(fit, size, kept, draw).window, used };
  };

  test("area, shape, row and column are those drawn", () => {
    // (0.08 + 0.25 · 0.92) · 256 · 341 = 27061.76; e^0 = 1; its root is 164.5. Rows 0 … 92, columns 0 … 177.
    assert.deepEqual(windowOf({ width: 341, height: 256 }, [0.25, 0.5, 0.5, 0.999]), {
      left: 176,
      top: 46,
      width: 165,
      height: 165,
      used: 4,
    });
    // Shape (3/4) · (16/9)^0.75 = 1.1547: 30 % of 65536 is 150.7 × 130.5.
    assert.deepEqual(windowOf({ width: 256, height: 256 }, [0.22 / 0.92, 0.75, 0, 0]), {
      left: 0,
      top: 0,
      width: 151,
      height: 130,
      used: 4,
    });
  });

  test("an attempt that does not fit is drawn again; after ten, the largest central part", () => {
    const wide = { width: 1000, height: 256 };
    assert.deepEqual(windowOf(wide, [0.999, 0.5]), { left: 329, top: 0, width: 341, height: 256, used: 20 });
    const tall = { width: 256, height: 1000 };
    assert.deepEqual(windowOf(tall, [0.999, 0.5]), { left: 0, top: 329, width: 256, height: 341, used: 20 });
    const retried = windowOf({ width: 341, height: 256 }, [0.999, 0.5, 0.25, 0.5, 0.5, 0.999]);
    assert.deepEqual(retried, { left: 176, top: 46, width: 165, height: 165, used: 6 });
  });

  test("of a very long image the middle is kept, so that what is kept of any is bounded", () => {
    for (const picture of [
      { width: 20, height: 6000 },
      { width: 6000, height: 20 },
      { width: 1, height: 50e6 },
    ]) {
      const { scaled, kept } = frameOf(fit, size, picture);
      assert.deepEqual([kept.width, kept.height].sort(), [1024, 256]);
      assertCentred(kept, scaled);
    }
    const panorama = { width: 1024, height: 256 };
    assert.deepEqual(frameOf(fit, size, panorama), { scaled: panorama, kept: wholeOf(panorama) });
  });

  test("areas and shapes are spread as they should be", () => {
    const numbers = createRandomNumbers(8, "rrc");
    const kept = { width: 2000, height: 2000 };
    const [areas, shapes]: [number[], number[]] = [[], []];
    for (let i = 0; i < 4000; i++) {
      numbers.begin(0, i);
      const { window } = placementOf({ ...fit, scale: [0.1, 0.5] }, size, kept, numbers.uniform);
      areas.push((window.width * window.height) / 4e6);
      shapes.push(Math.log(window.width / window.height) / Math.log(4 / 3));
    }
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    // Deviations of the means: 0.4/√12/√4000 = 0.0018 and 2/√12/√4000 = 0.0091; five of them. Sides are rounded: 0.5 of 550.
    assert.ok(Math.abs(mean(areas) - 0.3) < 0.0092);
    assert.ok(Math.abs(mean(shapes)) < 0.046);
    assert.ok(areas.every((area) => area > 0.0995 && area < 0.501));
    assert.ok(shapes.every((shape) => Math.abs(shape) < 1.01));
  });

  test("the most extreme shapes leave a pixel", () => {
    for (const ratio of [
      [1e-6, 1e-6],
      [1e6, 1e6],
    ] as const) {
      const { window } = placementOf({ ...fit, ratio }, size, { width: 300, height: 256 }, uniform);
      assertInside(window, { width: 300, height: 256 }, JSON.stringify(window));
      assert.equal(Math.min(window.width, window.height), 1);
    }
  });
});

describe("what does not fit is refused", () => {
  test("shorter sides", () => {
    const size = { width: 24, height: 24 };
    assert.deepEqual(createFit("crop", size), { kind: "crop", shorterSide: 27 });
    assert.deepEqual(createFit("crop", size, 32), { kind: "crop", shorterSide: 32 });
    assert.throws(() => createFit("pad", size, 32), /^ConfigError: shorterSide: expected a fit that crops, got pad; /);
  });

  test("inputs", () => {
    const fit = createFit("crop", { width: 20, height: 20 });
    assert.equal(fitProblem(fit, { width: 20, height: 19 }), "fit crop: expected a square input, got 19×20");
    const large = { width: 24, height: 24 };
    const problem = "fit crop: expected a shorter side of at least the input's 24, got 23";
    assert.equal(fitProblem(fit, large), problem);
    assert.equal(fitProblem({ kind: "pad" }, { width: 20, height: 19 }), undefined);
  });

  test("numbers, by the schema", () => {
    const valid = { kind: "random-resized-crop", shorterSide: 256, scale: [0.08, 1], ratio: [0.75, 1.25] };
    assert.deepEqual(fitSchema.parse(valid), valid);
    for (const change of [{ scale: [1, 0.08] }, { ratio: [0, 1] }, { shorterSide: 0 }, { kind: "crop" }, { pad: 1 }]) {
      assert.equal(fitSchema.safeParse({ ...valid, ...change }).success, false, JSON.stringify(change));
    }
    for (const name of fitNames) {
      const fit = createFit(name, { width: 64, height: 64 });
      assert.deepEqual(fitSchema.parse(JSON.parse(JSON.stringify(fit))), fit);
    }
  });
});
