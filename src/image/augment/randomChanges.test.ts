import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fillWords, randomStream } from "../../random.ts";
import { decodeImage } from "../files/decode.ts";
import { createFit, fitNames } from "../prepare/fit.ts";
import type { Patch } from "../prepare/normalize.ts";
import { createPreprocessor, type Preprocessing } from "../prepare/preprocess.ts";
import { type Augmentation, augmentationNames, augmentationSchema, usualAugmentation } from "./augmentation.ts";
import type { PrincipalColours } from "./lighting.ts";
import { createRandomChanges, createRandomNumbers, eraseRectangle, type RandomNumbers } from "./randomChanges.ts";

const photo = await decodeImage("test/golden/raccoon.jpg");
const size = { width: 64, height: 48 };
const colours: PrincipalColours = {
  eigenvalues: [0.2, 0.02, 0.005],
  eigenvectors: [
    [1, 0, 0],
    [0, 0.6, 0.8],
    [0, 0.8, -0.6],
  ],
};
/** Changes that can be distinguished in one use; maps and vertical flips move what is erased, and have tests of their own. */
const all = {
  flip: 0.5,
  shift: usualAugmentation.shift,
  lighting: usualAugmentation.lighting,
  jitter: usualAugmentation.jitter,
  erase: 0.5,
} as const;

/** A patch of the photo with the input's size. */
const patch: Patch = {
  data: photo.data,
  rowBytes: 960,
  channels: 3,
  dataLeft: 0,
  dataTop: 0,
  left: 100,
  top: 60,
  ...size,
  toLeft: 0,
  toTop: 0,
  flip: false,
};

/** All that is drawn for one use of an image, as data. */
function changesOf(augmentation: Augmentation, epoch: number, index: number) {
  const changes = createRandomChanges(augmentation, 1, colours);
  changes.begin(epoch, index);
  const crop = [changes.crop(), changes.crop()];
  const { data, flip, left, top, width, height, dataLeft, dataTop, toLeft, toTop } = changes.change(patch, size);
  const move = { left: dataLeft + left, top: dataTop + top, width, height, toLeft, toTop };
  const noise = changes.noise();
  const target = new Float32Array(3 * size.width * size.height).fill(1);
  changes.finish({ target, offset: 0, channels: 3, ...size });
  return { crop, pixels: Uint8Array.from(data), flip, move, noise, target };
}

const uses = Array.from({ length: 400 }, (_, index) => changesOf(all, 2, index));

describe("createRandomChanges", () => {
  test("each change is the same whether the others are on or not", () => {
    for (let index = 0; index < 40; index++) {
      const together = uses[index];
      assert.ok(together);
      const alone = (name: keyof typeof all) => changesOf({ [name]: all[name] }, 2, index);
      assert.deepEqual(changesOf({}, 2, index).crop, together.crop);
      assert.equal(alone("flip").flip, together.flip);
      assert.deepEqual(alone("shift").move, together.move);
      assert.deepEqual(alone("lighting").noise, together.noise);
      assert.deepEqual(alone("jitter").pixels, together.pixels);
      assert.deepEqual(alone("erase").target, together.target);
    }
  });

  test("without any, nothing changes", () => {
    const changes = createRandomChanges({}, 1, colours);
    changes.begin(0, 0);
    assert.equal(changes.change(patch, size), patch);
    assert.equal(changes.noise(), undefined);
    assert.equal(createRandomChanges({ lighting: 0.1 }, 1, undefined).noise(), undefined);
  });

  test("flips and erasures come as often as they should", () => {
    // 200 of 400, standard deviation 10; five of them.
    const flips = uses.filter(({ flip }) => flip).length;
    const erased = uses.filter(({ target }) => target.includes(0)).length;
    for (const count of [flips, erased]) assert.ok(Math.abs(count - 200) < 50, `${count}`);
    assert.ok(changesOf({ flip: 1 }, 0, 0).flip);
  });

  test("shifts: every distance within reach, what is left lies inside input and patch", () => {
    const [across, down] = [new Set<number>(), new Set<number>()];
    for (let index = 0; index < 1000; index++) {
      const { move } = changesOf({ shift: 0.125 }, 0, index);
      const [x, y] = [move.toLeft - (move.left - patch.left), move.toTop - (move.top - patch.top)];
      across.add(x);
      down.add(y);
      assert.equal(move.width, size.width - Math.abs(x));
      assert.equal(move.height, size.height - Math.abs(y));
      assert.deepEqual([move.toLeft, move.toTop], [Math.max(x, 0), Math.max(y, 0)]);
    }
    assert.deepEqual([Math.min(...across), Math.max(...across), across.size], [-8, 8, 17]);
    assert.deepEqual([Math.min(...down), Math.max(...down), down.size], [-6, 6, 13]);
  });

  test("what is erased is one rectangle, the same in every channel", () => {
    for (const { target } of uses.slice(0, 50)) {
      const plane = size.width * size.height;
      const first = target.subarray(0, plane);
      assert.deepEqual(target.subarray(plane, 2 * plane), first);
      assert.deepEqual(target.subarray(2 * plane), first);
      const zeros = [...first.keys()].filter((i) => first[i] === 0);
      const columns = new Set(zeros.map((i) => i % size.width));
      const rows = new Set(zeros.map((i) => Math.floor(i / size.width)));
      assert.equal(zeros.length, columns.size * rows.size);
      for (const extent of [columns, rows]) {
        if (extent.size > 0) assert.equal(Math.max(...extent) - Math.min(...extent) + 1, extent.size);
      }
    }
  });

  test("the usual strengths are valid", () => {
    assert.deepEqual(augmentationSchema.parse(usualAugmentation), usualAugmentation);
    assert.deepEqual(augmentationNames, Object.keys(augmentationSchema.shape));
  });
});

describe("random changes of whole images", () => {
  const side = 48;
  const pictures = [photo, { width: 90, height: 100, channels: 1, data: photo.data.subarray(0, 9000) } as const];

  function preprocessing(name: (typeof fitNames)[number]): Preprocessing {
    const fit = createFit(name, { width: side, height: side });
    const scale = { mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.3, 0.25] };
    return { size: [side, side], channels: 3, fit, resize: "bilinear", ...scale };
  }

  test("same bits in any order of images, whatever the fit", () => {
    for (const name of fitNames.filter((fit) => fit !== "native")) {
      const changes = createRandomChanges(all, 3, colours);
      const prepare = createPreprocessor(preprocessing(name), changes);
      const inputOf = (use: number) => {
        const target = new Float32Array(3 * side * side);
        changes.begin(Math.floor(use / 10), use % 10);
        prepare(pictures[use % 2] ?? photo, target, 0);
        return target;
      };
      const forward = Array.from({ length: 30 }, (_, use) => inputOf(use));
      for (let i = 0; i < 30; i++) assert.deepEqual(inputOf((i * 17) % 30), forward[(i * 17) % 30], name);
      assert.equal(new Set(forward.map((input) => Buffer.from(input.buffer).toString("base64"))).size, 30, name);
    }
  });

  test("reflecting the input twice gives it back", () => {
    const prepare = (augmentation: Augmentation) => {
      const changes = createRandomChanges({ shift: 0.3, lighting: 0.1, ...augmentation }, 3, colours);
      const target = new Float32Array(3 * side * side);
      changes.begin(1, 5);
      createPreprocessor(preprocessing("crop"), changes)(photo, target, 0);
      return target;
    };
    const flipped = prepare({ flip: 1 });
    for (let row = 0; row < 3 * side; row++) flipped.subarray(row * side, (row + 1) * side).reverse();
    assert.deepEqual(flipped, prepare({}));
  });

  test("the mean image is subtracted where it belongs, though jitter copies its window", () => {
    const none = { brightness: 0, contrast: 0, saturation: 0, hue: 0 };
    const frame = 3 * 55 * 55;
    const meanImage = Buffer.from(photo.data.subarray(0, frame)).toString("base64");
    const inputOf = (augmentation: Augmentation, index: number) => {
      const changes = createRandomChanges({ flip: 0.5, shift: 0.2, ...augmentation }, 3, undefined);
      const target = new Float32Array(3 * side * side);
      changes.begin(0, index);
      createPreprocessor({ ...preprocessing("crop"), meanImage }, changes)(photo, target, 0);
      return target;
    };
    for (let index = 0; index < 20; index++) assert.deepEqual(inputOf({ jitter: none }, index), inputOf({}, index));
  });
});

const whole = { width: 224, height: 200 };

function numbersOf(numbers: readonly number[]) {
  let used = 0;
  return { draw: () => numbers[used++ % numbers.length] as number, used: () => used };
}

describe("eraseRectangle", () => {
  test("area, shape, row and column are those drawn", () => {
    // (0.02 + 0.5 · 0.31) · 44800 = 7840; shape √(0.3 · 3.3) = 0.99499: 88.3 high, 88.8 wide. Rows 0 … 112, columns 0 … 135.
    const { draw, used } = numbersOf([0.5, 0.5, 0.25, 0.999]);
    assert.deepEqual(eraseRectangle(whole, draw), { left: 135, top: 28, width: 89, height: 88 });
    assert.equal(used(), 4);
  });

  test("nothing after ten attempts that do not fit", () => {
    const { draw, used } = numbersOf([0.999]);
    assert.equal(eraseRectangle({ width: 40, height: 4 }, draw), undefined);
    assert.equal(used(), 20);
    for (const width of [1, 2]) assert.equal(eraseRectangle({ width, height: 1 }, numbersOf([0.3]).draw), undefined);
  });

  test("inside, smaller than the whole, with areas and shapes within their limits", () => {
    const numbers = createRandomNumbers(1, "erase.test");
    const shares: number[] = [];
    for (let i = 0; i < 4000; i++) {
      numbers.begin(0, i);
      const rectangle = eraseRectangle(whole, numbers.uniform);
      assert.ok(rectangle);
      const { left, top, width, height } = rectangle;
      assert.ok(left >= 0 && top >= 0 && width < whole.width && height < whole.height);
      assert.ok(left + width <= whole.width && top + height <= whole.height);
      shares.push((width * height) / (whole.width * whole.height));
      // Sides of at least 16 pixels are rounded by half a pixel.
      assert.ok(height / width > 0.3 * 0.96 && height / width < 3.3 * 1.04);
    }
    assert.ok(shares.every((share) => share > 0.02 * 0.97 && share < 0.33 * 1.01));
    // All that is drawn fits but the longest; so the mean is a little below 0.175, deviation 0.0014.
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    assert.ok(mean > 0.16 && mean < 0.182, `${mean}`);
  });
});

function some(numbers: RandomNumbers, epoch: number, index: number, count = 40): number[] {
  numbers.begin(epoch, index);
  return Array.from({ length: count }, () => numbers.uniform());
}

describe("createDraws", () => {
  test("word 64 · index on, of the purpose's stream and the epoch", () => {
    for (const [epoch, index] of [
      [0, 0],
      [3, 1],
      [89, 1_281_166],
    ] as const) {
      const words = new Uint32Array(40);
      fillWords(randomStream(9, "augment:flip"), epoch, words, { first: 64 * index });
      const expected = Array.from(words, (word) => word / 2 ** 32);
      assert.deepEqual(some(createRandomNumbers(9, "flip"), epoch, index), expected);
    }
  });

  test("the same whatever came before, and different for each seed, purpose, epoch and index", () => {
    const uses = Array.from({ length: 60 }, (_, i) => [Math.floor(i / 20), i % 20] as const);
    const numbers = createRandomNumbers(1, "crop");
    const forward = uses.map(([epoch, index]) => some(numbers, epoch, index));
    // Other numbers of draws in between, the other way round.
    const backward = uses.toReversed().map(([epoch, index], i) => {
      some(numbers, index, epoch, i);
      return some(numbers, epoch, index);
    });
    assert.deepEqual(backward.toReversed(), forward);
    const others = [some(createRandomNumbers(2, "crop"), 0, 0), some(createRandomNumbers(1, "flip"), 0, 0)];
    const all = [...forward, ...others].flat();
    assert.equal(new Set(all).size, all.length);
  });

  test("uniform: mean, variance and tenths", () => {
    const numbers = createRandomNumbers(4, "uniform");
    const values = Array.from({ length: 5000 }, (_, i) => some(numbers, 0, i, 4)).flat();
    const tenths = new Array<number>(10).fill(0);
    for (const value of values) tenths[Math.floor(value * 10)] = (tenths[Math.floor(value * 10)] as number) + 1;
    // 2000 each, standard deviation 42; five of them.
    assert.ok(
      tenths.every((count) => Math.abs(count - 2000) < 212),
      `${tenths}`,
    );
    assert.ok(Math.abs(meanOf(values) - 1 / 2) < 5 / Math.sqrt(12 * 20000));
  });

  test("gaussian: moments of N(0, 1)", () => {
    const numbers = createRandomNumbers(4, "gaussian");
    const values = Array.from({ length: 20000 }, (_, i) => {
      numbers.begin(0, i);
      numbers.gaussian();
      return numbers.gaussian();
    });
    // Deviations of these means: 1, √2, √15 and √96 over √20000; five of them.
    const bounds = [1, Math.sqrt(2), Math.sqrt(15), Math.sqrt(96)].map((d) => (5 * d) / Math.sqrt(20000));
    [0, 1, 0, 3].forEach((expected, k) => {
      const moment = meanOf(values.map((value) => value ** (k + 1)));
      assert.ok(Math.abs(moment - expected) < (bounds[k] as number), `moment ${k + 1}: ${moment}`);
    });
  });
});

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
