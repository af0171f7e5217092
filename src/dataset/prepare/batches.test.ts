import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigError, ShapeError } from "../../errors.ts";
import { createPreprocessor, type Preprocessing } from "../../image/prepare/preprocess.ts";
import { permutation, randomStream } from "../../random.ts";
import { type Dataset, limitSplit, type Split } from "../dataset.ts";
import { loadFashionMnist } from "../sources/fashionMnist.ts";
import { type Batch, type BatchOptions, batches } from "./batches.ts";
import { createPreparation } from "./preparation.ts";

const dataset: Dataset = await loadFashionMnist();
const split: Split = limitSplit(dataset.test, 23);
const preprocessing: Preprocessing = {
  size: [35, 30],
  channels: 3,
  fit: { kind: "resize" },
  resize: "bilinear",
  mean: [0.1, 0.2, 0.3],
  deviation: [1, 2, 3],
};
const preparation = createPreparation({ preprocessing });
const imageSize = 3 * 35 * 30;

async function collect(options: Partial<BatchOptions>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const { images, labels, indices, ...rest } of batches({
    split,
    preparation,
    batchSize: 5,
    ...options,
  })) {
    all.push({ images: images.slice(), labels: labels.slice(), indices: indices.slice(), ...rest });
  }
  return all;
}

function prepared(index: number): Float32Array {
  const target = new Float32Array(imageSize);
  createPreprocessor(preprocessing)(split.image(index), target, 0);
  return target;
}

describe("batches", () => {
  test("every image once, in order, with its label; the last batch is smaller and its rest is zero", async () => {
    const all = await collect({});
    assert.deepEqual(
      all.map(({ count }) => count),
      [5, 5, 5, 5, 3],
    );
    for (const [b, { images, labels, indices, count }] of all.entries()) {
      assert.deepEqual([images.length, labels.length, indices.length], [5 * imageSize, 5, 5]);
      for (let row = 0; row < count; row++) {
        assert.equal(indices[row], 5 * b + row);
        assert.equal(labels[row], split.label(5 * b + row));
        assert.deepEqual(images.subarray(row * imageSize, (row + 1) * imageSize), prepared(5 * b + row));
      }
      assert.ok(images.subarray(count * imageSize).every((value) => value === 0));
      assert.deepEqual([...labels.subarray(count), ...indices.subarray(count)], new Array(2 * (5 - count)).fill(0));
    }
  });

  test("a shuffled epoch resumed anywhere continues like the uninterrupted one", async () => {
    const order = permutation(randomStream(3, "batches.test"), 0, split.length);
    const whole = await collect({ order });
    assert.deepEqual(
      whole.flatMap(({ indices, count }) => [...indices.subarray(0, count)]),
      [...order],
    );
    for (let done = 0; done <= whole.length; done++) {
      assert.deepEqual(await collect({ order, from: 5 * done }), whole.slice(done));
    }
  });

  test("random values depend on the image and its number of uses in the epoch, wherever it is resumed", async () => {
    const random = { augmentation: { flip: 0.5, shift: 0.3 }, seed: 1, colours: undefined };
    const options = { preparation: createPreparation({ preprocessing, random }), epoch: 2 };
    const images = (all: readonly Batch[]) => all.flatMap((batch) => rows(batch));
    const rows = ({ images, count }: Batch) =>
      Array.from({ length: count }, (_, row) => images.slice(row * imageSize, (row + 1) * imageSize));
    const order = permutation(randomStream(1, "shuffle"), 0, 23);
    const once = images(await collect({ ...options, order }));
    const inPlace = images(await collect({ ...options, order: Uint32Array.from({ length: 23 }, (_, i) => i) }));
    for (const [place, index] of order.entries()) assert.deepEqual(once[place], inPlace[index]);
    const repeated = Uint32Array.of(3, 7, 3, 3, 7, 9, 3);
    const all = images(await collect({ ...options, order: repeated }));
    for (const first of [0, 1, 5]) assert.deepEqual(all[first], inPlace[repeated[first] as number]);
    const uses = [0, 2, 3, 6].map((place) => String(all[place]));
    // Four uses of one image with 2 reflections and 19 × 21 places.
    assert.equal(new Set(uses).size, 4);
    const later = images(await collect({ ...options, order: repeated, from: 2 }));
    assert.deepEqual(later, all.slice(2));
  });

  test("images are prepared in the given memory, and nowhere else", async () => {
    const room = new Float32Array(7 * imageSize).fill(9);
    const into = room.subarray(imageSize, 6 * imageSize);
    const expected = await collect({});
    for await (const batch of batches({ split, preparation, batchSize: 5, into })) {
      assert.equal(batch.images, into);
      assert.deepEqual({ ...batch, images: into.slice() }, expected.shift());
    }
    assert.equal(expected.length, 0);
    assert.ok([...room.subarray(0, imageSize), ...room.subarray(6 * imageSize)].every((value) => value === 9));
    assert.throws(
      () => batches({ split, preparation, batchSize: 6, into }),
      new ShapeError(`batch: expected memory for 6 images of 3×35×30, got ${5 * imageSize} numbers`),
    );
  });

  test("part of a split, and batches larger than it", async () => {
    const [only, ...more] = await collect({ order: Uint32Array.of(7, 7, 2), batchSize: 8 });
    assert.deepEqual([only?.count, more.length, [...(only?.indices ?? [])]], [3, 0, [7, 7, 2, 0, 0, 0, 0, 0]]);
    assert.deepEqual(await collect({ order: new Uint32Array(0) }), []);
  });

  test("rows of a batch: their images only, with the labels of all and the same random values", async () => {
    const random = { augmentation: { flip: 0.5, shift: 0.3 }, seed: 1, colours: undefined };
    const order = Uint32Array.from({ length: 23 }, (_, i) => (7 * i) % 20);
    const options = { preparation: createPreparation({ preprocessing, random }), epoch: 1, order, batchSize: 6 };
    const whole = await collect(options);
    const parts = [await collect({ ...options, rows: { first: 0, count: 3 } })];
    parts.push(await collect({ ...options, rows: { first: 3, count: 3 } }));
    for (const [b, { images, ...rest }] of whole.entries()) {
      const own = parts.map((batches) => batches[b] as Batch);
      // The last batch has 5 images: the second process has 2 of them.
      assert.deepEqual([...own.flatMap((batch) => [...batch.images])], [...images]);
      for (const { images: _images, ...others } of own) assert.deepEqual(others, rest);
    }
  });
  test("invalid batch sizes", () => {
    for (const batchSize of [0, -1, 1.5, Number.NaN]) {
      assert.throws(
        () => batches({ split, preparation, batchSize }),
        new ConfigError(`batch size: expected a positive whole number, got ${batchSize}`),
      );
    }
  });
});
