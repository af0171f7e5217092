import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { preprocessingSchema } from "./preprocess.ts";

describe("preprocessingSchema", () => {
  const valid = {
    size: [227, 227],
    channels: 1,
    fit: { kind: "resize" },
    resize: "bilinear",
    mean: [0.2860405969887955],
    deviation: [0.353],
  };

  test("JSON comes back as it was", () => {
    assert.deepEqual(preprocessingSchema.parse(JSON.parse(JSON.stringify(valid))), valid);
  });

  test("without a fit, as old files are: resize", () => {
    const { fit: _, ...old } = valid;
    assert.deepEqual(preprocessingSchema.parse(old), valid);
  });

  test("anything else is refused", () => {
    for (const change of [
      { size: [227] },
      { size: [0, 227] },
      { channels: 2 },
      { channels: 3 },
      { resize: "lanczos" },
      { mean: [] },
      { mean: [null] },
      { deviation: [0] },
      { deviation: [1, 1] },
      { crop: true },
      { meanImage: "ä" },
      { fit: { kind: "crop", shorterSide: 200 } },
      { size: [227, 200], fit: { kind: "crop", shorterSide: 256 } },
    ]) {
      assert.equal(preprocessingSchema.safeParse({ ...valid, ...change }).success, false, JSON.stringify(change));
    }
  });
});
