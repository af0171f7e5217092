import assert from "node:assert/strict";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { noise } from "../../../test/packPictures.ts";
import { DataError } from "../../errors.ts";
import type { Image } from "../../image/image.ts";
import { permutation, randomStream } from "../../random.ts";
import { limitSplit, type Split } from "../dataset.ts";
import { batches } from "../prepare/batches.ts";
import { createPreparation } from "../prepare/preparation.ts";
import { checksumOf } from "./checksum.ts";
import { closePixels, noPixels, openPixels, type PackPixels } from "./pixels.ts";
import { packSplit } from "./split.ts";

const images = Array.from({ length: 50 }, (_, i) => noise(i, 30 + (i % 7), 25 + (i % 5), i % 2 ? 3 : 1));
let folder: string;
let pixels: PackPixels;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-split-"));
  await writeFile(join(folder, "pixels.bin"), Buffer.concat(images.map(({ data }) => data)));
  pixels = noPixels();
  await writeFile(join(folder, "other.bin"), Buffer.concat(images.slice(25).map(({ data }) => data)));
  for (const name of ["pixels.bin", "other.bin"]) openPixels(pixels, join(folder, name));
});
after(async () => {
  await closePixels(pixels);
  await rm(folder, { recursive: true });
});

function splitOf(): Split {
  let [offset, half] = [0, 0];
  const packed = images.map(({ data, ...image }, i) => {
    // The second half is in both parts: every other image of it is read from the second part.
    if (i === 25) half = offset;
    const place = i >= 25 && i % 2 ? { part: 1, offset: offset - half } : { part: 0, offset };
    const picture = { ...image, ...place, checksum: checksumOf(data), moments: { mean: [], products: [] } };
    offset += data.length;
    return { path: `${i}.png`, label: i % 3, picture };
  });
  return packSplit({ pixels, root: "pictures", length: images.length, images: packed });
}

function assertImage(actual: Image, index: number): void {
  const { width, height, channels, data } = images[index] as Image;
  assert.deepEqual([actual.width, actual.height, actual.channels], [width, height, channels]);
  assert.ok(Buffer.from(data).equals(actual.data), `image ${index}`);
}

test("images, labels and paths in any order, read ahead or not", async () => {
  const split = splitOf();
  assert.deepEqual([split.length, split.label(4), split.path?.(4)], [50, 1, join("pictures", "4.png")]);
  for (const index of permutation(randomStream(1, "split"), 0, 50)) assertImage(split.image(index), index);
  await split.prefetch?.(Uint32Array.of(7, 9, 7, 30));
  for (const index of [7, 8, 9, 30, 49]) assertImage(split.image(index), index);
});

test("an image stays unchanged while the next ones are read, and reads that nobody awaits are harmless", async () => {
  const split = splitOf();
  const order = permutation(randomStream(1, "split"), 1, 50);
  await split.prefetch?.(order.subarray(0, 10));
  const image = split.image(order[0] as number);
  await split.prefetch?.(order.subarray(10, 20));
  assertImage(image, order[0] as number);
  const reads = [];
  for (let first = 0; first < 50; first += 5) {
    reads.push(split.prefetch?.(order.subarray(first, first + 5)));
    for (const index of order.subarray(first, first + 5)) assertImage(split.image(index), index);
    if (first % 10 === 0) await new Promise(setImmediate);
  }
  await Promise.all(reads);
  for (const index of order) assertImage(split.image(index), index);
});

test("batches are the same with and without reading ahead, also in two epochs at once", async () => {
  const preprocessing = { size: [20, 20], channels: 3, fit: { kind: "resize" }, resize: "bilinear" } as const;
  const scaled = { ...preprocessing, mean: [0, 0, 0], deviation: [1, 1, 1] };
  const preparation = createPreparation({ preprocessing: scaled });
  const order = permutation(randomStream(1, "split"), 2, 50);
  const collect = async (split: Split, from?: number) => {
    const all = [];
    const source = batches({ split, preparation, batchSize: 8, order, from });
    for await (const { images, labels, indices, count } of source) {
      all.push({ images: images.slice(), labels: labels.slice(), indices: indices.slice(), count });
      await new Promise(setImmediate);
    }
    return all;
  };
  const split = splitOf();
  const { prefetch: _, ...direct } = split;
  const expected = await collect(direct);
  assert.deepEqual(await collect(split), expected);
  assert.deepEqual(await Promise.all([collect(split), collect(split, 16), collect(limitSplit(split, 50))]), [
    expected,
    expected.slice(2),
    expected,
  ]);
  for await (const _ of batches({ split, preparation, batchSize: 8 })) break;
});

test("missing pixels are a DataError, read ahead or not", async () => {
  const path = join(folder, "short.bin");
  await writeFile(path, Buffer.concat(images.map(({ data }) => data)));
  const [kept, short] = [pixels, noPixels()];
  for (let part = 0; part < 2; part++) openPixels(short, path);
  pixels = short;
  const split = splitOf();
  pixels = kept;
  await truncate(path, 20_000);
  await split.prefetch?.(Uint32Array.of(0, 49));
  assertImage(split.image(0), 0);
  assert.throws(
    () => split.image(49),
    (error: unknown) => {
      assert.ok(error instanceof DataError);
      assert.match(
        error.message,
        /short\.bin: expected \d+ bytes of an image at \d+, got 0: the file is truncated; run again/,
      );
      return true;
    },
  );
  await closePixels(short);
  assert.throws(() => split.image(1), DataError);
  assert.throws(() => openPixels(noPixels(), join(folder, "none")), DataError);
});
