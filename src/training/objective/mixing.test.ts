/** CutMix against its definition, and its combination with mixup. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createRectangles, cutImages, fractionOutside } from "./cutmix.ts";
import { createMixer } from "./mixing.ts";
import { createMixScratch } from "./mixup.ts";

const shape = [3, 12, 20] as const;
const size = { width: 20, height: 12 };
const length = 3 * 12 * 20;
const count = 7;
const batchSize = 9;

/** Each value names its image, channel, row and column. */
function batch(): Float32Array {
  return Float32Array.from({ length: batchSize * length }, (_, i) => i);
}

/** True for positions inside the rectangle. */
function isInside(i: number, { left, top, width, height }: ReturnType<ReturnType<typeof createRectangles>>): boolean {
  const [x, y] = [i % 20, Math.floor(i / 20) % 12];
  return x >= left && x < left + width && y >= top && y < top + height;
}

test("every value inside the rectangle is the partner's, every other the image's own", () => {
  for (const partners of [
    [1, 2, 3, 4, 5, 6, 0],
    [1, 0, 2, 4, 5, 3, 6],
    [0, 1, 2, 3, 4, 5, 6],
  ]) {
    for (const rectangle of [
      { left: 3, top: 2, width: 9, height: 5 },
      { left: 0, top: 0, width: 20, height: 12 },
      { left: 19, top: 11, width: 1, height: 1 },
      { left: 5, top: 5, width: 0, height: 3 },
    ]) {
      const [images, before] = [batch(), batch()];
      cutImages(images, count, shape, rectangle, Uint32Array.from(partners), createMixScratch(batchSize));
      for (let i = 0; i < images.length; i++) {
        const [row, at] = [Math.floor(i / length), i % length];
        const source = row < count && isInside(at, rectangle) ? (partners[row] as number) : row;
        assert.equal(images[i], before[source * length + at]);
      }
    }
  }
});

test("rectangles have the area of 1 − λ unless they are cut off, and their centres are everywhere", () => {
  const draw = createRectangles(1, { width: 200, height: 100 });
  const [centres, areas]: [Set<string>, number[]] = [new Set(), []];
  for (let counter = 0; counter < 2000; counter++) {
    const { left, top, width, height } = draw(counter, 0.75);
    assert.ok(left >= 0 && top >= 0 && left + width <= 200 && top + height <= 100);
    assert.ok(width <= 100 && height <= 50);
    if (left > 0 && top > 0 && left + width < 200 && top + height < 100) areas.push((width * height) / 20_000);
    centres.add(`${Math.floor(((left + width / 2) / 200) * 4)} ${Math.floor(((top + height / 2) / 100) * 4)}`);
  }
  assert.ok(areas.length > 200 && areas.every((area) => area === 0.25), `${areas.length}`);
  assert.equal(centres.size, 16);
  assert.equal(fractionOutside({ left: 0, top: 0, width: 5, height: 6 }, size), 1 - 30 / 240);
});

test("λ is the fraction of an image's own pixels; a mix is a function of the counter", () => {
  const mixer = createMixer({ mixup: 0, cutmix: 1, seed: 5 }, batchSize, shape);
  for (const counter of [0, 9, 18, 27]) {
    const [images, before] = [batch(), batch()];
    const mix = mixer(images, count, counter);
    assert.ok(mix);
    const partners = [...mix.partners.subarray(0, count)];
    const row = partners.findIndex((partner, own) => partner !== own);
    const own = Array.from({ length }, (_, i) => images[row * length + i] === before[row * length + i]).filter(
      Boolean,
    ).length;
    assert.ok(Math.abs(own / length - mix.lambda) < 1e-12, `${own / length}, ${mix.lambda}`);
    const again = batch();
    assert.equal(
      createMixer({ mixup: 0, cutmix: 1, seed: 5 }, batchSize, shape)(again, count, counter)?.lambda,
      mix.lambda,
    );
    assert.deepEqual(again, images);
  }
});

test("with mixup too, each batch is mixed in one of the ways, either as often", () => {
  const both = createMixer({ mixup: 1, cutmix: 1, seed: 5 }, batchSize, shape);
  const single = [
    createMixer({ mixup: 1, cutmix: 0, seed: 5 }, batchSize, shape),
    createMixer({ mixup: 0, cutmix: 1, seed: 5 }, batchSize, shape),
  ] as const;
  let cuts = 0;
  for (let counter = 0; counter < 400; counter++) {
    const results = [both, ...single].map((mixer) => {
      const images = batch();
      mixer(images, count, counter);
      return Buffer.from(images.buffer).toString("latin1");
    });
    assert.ok(results[0] === results[1] || results[0] === results[2]);
    if (results[0] !== results[1]) cuts++;
  }
  // 200 of 400, standard deviation 10; five of them.
  assert.ok(Math.abs(cuts - 200) < 50, `${cuts}`);
  assert.equal(createMixer({ mixup: 0, cutmix: 0, seed: 5 }, batchSize, shape)(batch(), 2, 0), undefined);
});
