import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fillWords, randomStream } from "../../random.ts";
import { createDraws, type Draws } from "./randomStreams.ts";

function some(draws: Draws, epoch: number, index: number, count = 40): number[] {
  draws.begin(epoch, index);
  return Array.from({ length: count }, () => draws.uniform());
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
      assert.deepEqual(some(createDraws(9, "flip"), epoch, index), expected);
    }
  });

  test("the same whatever came before, and different for each seed, purpose, epoch and index", () => {
    const uses = Array.from({ length: 60 }, (_, i) => [Math.floor(i / 20), i % 20] as const);
    const draws = createDraws(1, "crop");
    const forward = uses.map(([epoch, index]) => some(draws, epoch, index));
    // Other numbers of draws in between, the other way round.
    const backward = uses.toReversed().map(([epoch, index], i) => {
      some(draws, index, epoch, i);
      return some(draws, epoch, index);
    });
    assert.deepEqual(backward.toReversed(), forward);
    const others = [some(createDraws(2, "crop"), 0, 0), some(createDraws(1, "flip"), 0, 0)];
    const all = [...forward, ...others].flat();
    assert.equal(new Set(all).size, all.length);
  });

  test("uniform: mean, variance and tenths", () => {
    const draws = createDraws(4, "uniform");
    const values = Array.from({ length: 5000 }, (_, i) => some(draws, 0, i, 4)).flat();
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
    const draws = createDraws(4, "gaussian");
    const values = Array.from({ length: 20000 }, (_, i) => {
      draws.begin(0, i);
      draws.gaussian();
      return draws.gaussian();
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
