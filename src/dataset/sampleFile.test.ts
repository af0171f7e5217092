/** Sample files: read back unchanged; what they cannot hold, and corrupt ones, are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DataError } from "../errors.ts";
import { fromArrays } from "./arrays.ts";
import type { Dataset, Split } from "./dataset.ts";
import { decodeSample, encodeSample } from "./sampleFile.ts";

const size = { width: 2, height: 1, channels: 3 } as const;
const pixelsOf = (image: number) => Uint8Array.from({ length: 6 }, (_, i) => 10 * image + i);

function dataset(labels: readonly number[] | readonly (readonly number[])[], classes = 3): Dataset {
  const classNames = Array.from({ length: classes }, (_, c) => `class ${c} é`);
  const images = labels.map((_, i) => pixelsOf(i));
  const test = { images: [pixelsOf(20), pixelsOf(21)], labels: labels.slice(0, 2) };
  return fromArrays(images, labels, { name: "sample", classNames, ...size, validation: test, test });
}

const contentOf = (split: Split) =>
  Array.from({ length: split.length }, (_, i) => [split.label(i), [...split.image(i).data]]);

test("the first images with their labels and classes", () => {
  const read = decodeSample(encodeSample(dataset([2, 0, 1, 1]), { train: 3, test: 1 }));
  assert.deepEqual(read.classNames, ["class 0 é", "class 1 é", "class 2 é"]);
  assert.deepEqual(contentOf(read.train), [
    [2, [...pixelsOf(0)]],
    [0, [...pixelsOf(1)]],
    [1, [...pixelsOf(2)]],
  ]);
  assert.deepEqual(contentOf(read.test), [[2, [...pixelsOf(20)]]]);
});

test("several labels an image, more classes than a byte, and corrupt files are refused", () => {
  const counts = { train: 1, test: 1 };
  assert.throws(() => encodeSample(dataset([[0, 1], []]), counts), /expected one class per image for a sample/);
  assert.throws(
    () => encodeSample(dataset([0, 256], 257), counts),
    /expected at most 256 classes for a sample, got 257/,
  );
  assert.equal(decodeSample(encodeSample(dataset([255, 0], 256), counts)).train.label(0), 255);
  const bytes = encodeSample(dataset([0, 1]), counts);
  assert.throws(
    () => decodeSample(bytes.subarray(0, -1)),
    new DataError(`sample: expected ${bytes.length} bytes, got ${bytes.length - 1}`),
  );
  assert.throws(() => decodeSample(new Uint8Array(3)), /sample: not a sample file/);
});
