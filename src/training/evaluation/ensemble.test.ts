import assert from "node:assert/strict";
import { test } from "node:test";
import type { Split } from "../../dataset/dataset.ts";
import { ConfigError } from "../../errors.ts";
import { checkSamePictures, columnsOf } from "./ensemble.ts";

const pixel = { width: 1, height: 1, channels: 1, data: new Uint8Array(1) } as const;
const split: Split = { length: 23, label: (i) => (i * i) % 3, image: () => pixel, path: (i) => `image, ${i}.png` };

test("other classes and other images are refused", () => {
  const message = /^two: expected the classes of the first run, got others: missing b; unexpected d, e$/;
  assert.throws(
    () => columnsOf(["a", "b"], ["a", "d", "e"], "two"),
    (error) => error instanceof ConfigError && message.test(error.message),
  );
  assert.throws(() => columnsOf(["a", "b"], ["a", "b", "c"], "two"), /missing none; unexpected c$/);
  checkSamePictures(split, { ...split }, "two");
  const others: readonly Split[] = [
    { ...split, length: 22 },
    { ...split, label: (i) => (i === 22 ? 0 : split.label(i)) },
    { ...split, path: (i) => `${i}.png` },
  ];
  for (const other of others) assert.throws(() => checkSamePictures(split, other, "two"), ConfigError);
});
