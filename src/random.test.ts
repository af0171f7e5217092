import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  fillDropoutMask,
  fillGaussian,
  fillUniform,
  fillWords,
  permutation,
  type RandomStream,
  randomStream,
} from "./random.ts";

function wordsOf(stream: RandomStream, counter: number, length: number): Uint32Array {
  const words = new Uint32Array(length);
  fillWords(stream, counter, words);
  return words;
}

function mean(values: ArrayLike<number>, f: (x: number) => number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += f(values[i] as number);
  return sum / values.length;
}

/** Threefry-2x32-20 as the paper writes it: rounds in a loop, a key injected after every fourth. */
function threefry(key: readonly [number, number], counter: readonly [number, number]): [number, number] {
  const rotations = [13, 15, 26, 6, 17, 29, 16, 24];
  const keys = [key[0], key[1], (0x1bd11bda ^ key[0] ^ key[1]) >>> 0] as const;
  const sum = (...terms: readonly number[]) => terms.reduce((x, y) => (x + y) >>> 0, 0);
  let [a, b] = [sum(counter[0], keys[0]), sum(counter[1], keys[1])];
  for (let round = 0; round < 20; round++) {
    const rotation = rotations[round % 8] as number;
    a = sum(a, b);
    b = (((b << rotation) | (b >>> (32 - rotation))) ^ a) >>> 0;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      a = sum(a, keys[injection % 3] as number);
      b = sum(b, keys[(injection + 1) % 3] as number, injection);
    }
  }
  return [a, b];
}

describe("fillWords", () => {
  it("is Threefry: the plain form gives Random123's published vectors, and fillWords gives what the plain form gives", () => {
    // Random123 1.14, tests/kat_vectors, threefry2x32 20.
    const ones = 0xffffffff;
    assert.deepEqual(threefry([0, 0], [0, 0]), [0x6b200159, 0x99ba4efe]);
    assert.deepEqual(threefry([ones, ones], [ones, ones]), [0x1cb996fc, 0xbb002be7]);
    assert.deepEqual(threefry([0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3]), [0xc4923a9c, 0x483df7a0]);

    assert.deepEqual([...wordsOf({ key0: 0, key1: 0 }, 0, 2)], [0x6b200159, 0x99ba4efe]);
    for (const [key0, key1, counter] of [
      [0, 0, 1],
      [ones, ones, ones],
      [0x13198a2e, 0x03707344, 0x85a308d3],
      [0x80000000, 0x7fffffff, 0x80000000],
    ] as const) {
      const expected = Array.from({ length: 500 }, (_, i) => threefry([key0, key1], [i, counter])).flat();
      assert.deepEqual([...wordsOf({ key0, key1 }, counter, 1000)], expected);
    }
  });

  it("gives a shorter array the same first words", () => {
    const stream = randomStream(1, "test");
    assert.deepEqual(wordsOf(stream, 9, 5), wordsOf(stream, 9, 8).subarray(0, 5));
  });

  it("gives other words for another seed, purpose or counter", () => {
    const first = [
      wordsOf(randomStream(1, "a"), 0, 2),
      wordsOf(randomStream(2, "a"), 0, 2),
      wordsOf(randomStream(1, "b"), 0, 2),
      wordsOf(randomStream(1, "a"), 1, 2),
    ].map((words) => words.join());
    assert.equal(new Set(first).size, 4);
  });
});

describe("fillUniform", () => {
  const values = new Float32Array(100_000);
  fillUniform(randomStream(1, "uniform"), 0, values, -2, 6);

  it("stays in [low, high)", () => {
    assert.ok(values.every((value) => value >= -2 && value < 6));
  });

  it("has the moments of a uniform distribution", () => {
    // Five standard errors: √(64/12 / n) for the mean; √(64²/180 / n) for the variance.
    assert.ok(Math.abs(mean(values, (x) => x) - 2) < 5 * Math.sqrt(64 / 12 / values.length));
    assert.ok(Math.abs(mean(values, (x) => (x - 2) ** 2) - 64 / 12) < 5 * Math.sqrt(64 ** 2 / 180 / values.length));
  });

  it("fills sixteen bins evenly", () => {
    const bins = new Array<number>(16).fill(0);
    for (const value of values) bins[Math.floor((value + 2) * 2)] = (bins[Math.floor((value + 2) * 2)] ?? 0) + 1;
    const expected = values.length / 16;
    const chiSquared = bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    assert.ok(chiSquared < 50, `χ² ${chiSquared} with 15 degrees of freedom`); // p = 1e-5
  });

  it("is exact in f32 for a range that is a power of two", () => {
    const doubles = new Float64Array(1000);
    fillUniform(randomStream(1, "uniform"), 0, doubles, -1, 1);
    assert.deepEqual(doubles, Float64Array.from(doubles, Math.fround));
  });
});

describe("fillGaussian", () => {
  it("has the moments of a normal distribution", () => {
    const values = new Float64Array(100_001);
    fillGaussian(randomStream(1, "gaussian"), 0, values, 0.5);
    // Five standard errors of mean, variance and fourth moment of n values: σ/√n, σ²√(2/n), σ⁴√(96/n).
    const n = values.length;
    assert.ok(Math.abs(mean(values, (x) => x)) < (5 * 0.5) / Math.sqrt(n));
    assert.ok(Math.abs(mean(values, (x) => x ** 2) - 0.25) < 5 * 0.25 * Math.sqrt(2 / n));
    assert.ok(Math.abs(mean(values, (x) => x ** 4) - 3 * 0.0625) < 5 * 0.0625 * Math.sqrt(96 / n));
    assert.ok(values.every(Number.isFinite));
  });
});

describe("permutation", () => {
  it("holds every number once, for odd and even lengths", () => {
    for (const length of [0, 1, 2, 7, 1000]) {
      const order = permutation(randomStream(1, "shuffle"), 3, length);
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        [...Array(length).keys()],
      );
    }
  });

  it("brings every number to every place equally often", () => {
    const counts = new Map<string, number>();
    for (let counter = 0; counter < 6000; counter++) {
      const order = permutation(randomStream(1, "shuffle"), counter, 3).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    // Six orders, 1000 each; the standard deviation is √(6000 · 1/6 · 5/6) = 29.
    assert.equal(counts.size, 6);
    for (const [order, count] of counts) assert.ok(Math.abs(count - 1000) < 5 * 29, `${order}: ${count}`);
  });
});

describe("fillDropoutMask", () => {
  function maskOf(probability: number, counter: number, length: number): Float32Array {
    const mask = new Float32Array(length);
    fillDropoutMask(
      randomStream(1, "dropout:test"),
      counter,
      probability,
      new Uint32Array(Math.ceil(length / 2)),
      mask,
    );
    return mask;
  }

  for (const probability of [0.1, 0.25, 0.5, 0.75, 0.9]) {
    it(`drops ${probability} of the elements and keeps the expectation`, () => {
      const mask = maskOf(probability, 0, 99_999);
      const dropped = mask.filter((m) => m === 0).length / mask.length;
      const deviation = Math.sqrt((probability * (1 - probability)) / mask.length);
      // 1 / 2^17: the probability is rounded to 16 bits.
      assert.ok(Math.abs(dropped - probability) < 5 * deviation + 2 ** -17, `${dropped}`);
      const kept = Math.fround(1 / (1 - probability));
      assert.ok(mask.every((m) => m === 0 || m === kept));
    });
  }

  it("drops nothing at probability 0", () => {
    assert.ok(maskOf(0, 0, 1000).every((m) => m === 1));
  });

  it("draws independently for neighbouring bits and for each counter", () => {
    const [mask, next] = [maskOf(0.5, 0, 100_000), maskOf(0.5, 1, 100_000)];
    const agreement = (a: Float32Array, b: Float32Array) => a.filter((x, i) => x === b[i]).length / a.length;
    const even = mask.filter((_, j) => j % 2 === 0);
    const odd = mask.filter((_, j) => j % 2 === 1);
    // Five standard deviations of a fair coin.
    assert.ok(Math.abs(agreement(even, odd) - 0.5) < 2.5 / Math.sqrt(50_000));
    assert.ok(Math.abs(agreement(mask, next) - 0.5) < 2.5 / Math.sqrt(100_000));
  });
});
