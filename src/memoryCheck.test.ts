import assert from "node:assert/strict";
import { test } from "node:test";
import { ShapeError } from "./errors.ts";
import { requireMemory } from "./memoryCheck.ts";

const chain = {
  ops: [
    {
      name: "conv1",
      inputShape: [3, 8, 8],
      outputShape: [16, 8, 8],
      parameters: [{ shape: [16, 3, 3, 3] }, { shape: [16] }],
    },
    { name: "flatten", inputShape: [16, 8, 8], outputShape: [1024], parameters: [] },
  ],
  inputShape: [3, 8, 8],
};
/** Bytes of the parameters, and of the input and output of `flatten`, the largest layer, for one image. */
const [parameters, largest] = [4 * (432 + 16), 4 * 2 * 1024];

test("memory is computed before it is allocated, to the byte", () => {
  requireMemory({ ...chain, batchSize: 10 }, "inference", parameters + 10 * largest);
  requireMemory({ ...chain, batchSize: 10 }, "training", 2 * parameters + 10 * largest);
  for (const [purpose, needed] of [
    ["inference", parameters + 10 * largest],
    ["training", 2 * parameters + 10 * largest],
  ] as const) {
    assert.throws(
      () => requireMemory({ ...chain, batchSize: 10 }, purpose, needed - 1),
      (error: unknown) =>
        error instanceof ShapeError && /^flatten: .*10 images of 3×8×8 .*at least 8\d\.\d kB/.test(error.message),
    );
  }
});

test("a batch that one array cannot hold is refused whatever the memory", () => {
  assert.throws(
    () => requireMemory({ ...chain, batchSize: 2 ** 53 }, "inference", Infinity),
    /^ShapeError: input: a batch of 9007199254740992 images of 3×8×8 would need 6\.92 EB .*; use a smaller batch size$/,
  );
});
