import assert from "node:assert/strict";
import { test } from "node:test";
import type { PrecisionSupport } from "../engine.ts";
import { choosePrecision, nativePrecisions } from "./precision.ts";

const description = "oneDNN 2.6.3 (AVX-512 BF16), 2 threads";
const f32: PrecisionSupport = { name: "f32", native: true };
const bf16: PrecisionSupport = { name: "bf16", native: true };
const emulated: PrecisionSupport = { name: "bf16", native: false };

test("auto is the engine's fastest precision, and says why", () => {
  for (const [precisions, precision, reason] of [
    [[bf16, f32], "bf16", /bf16, which is faster .*--precision f32/],
    [[f32, bf16], "f32", /f32, which is faster on this processor than bf16/],
    [[f32, emulated], "f32", /f32, because oneDNN 2\.6\.3 .* has no instructions for bf16/],
    [[f32], "f32", /no instructions for bf16/],
  ] as const) {
    const chosen = choosePrecision("auto", { precisions, description, fastestPrecision: precision });
    assert.equal(chosen.precision, precision);
    assert.match(chosen.reason ?? "", reason);
  }
});

test("a precision that is asked for is taken, with a note where the processor lacks its instructions", () => {
  assert.deepEqual(choosePrecision("bf16", { precisions: [f32, bf16], description, fastestPrecision: "f32" }), {
    precision: "bf16",
    reason: undefined,
  });
  assert.match(
    choosePrecision("bf16", { precisions: [f32, emulated], description, fastestPrecision: "f32" }).reason ?? "",
    /slower than f32/,
  );
  // Compilation refuses it.
  assert.deepEqual(choosePrecision("bf16", { precisions: [f32], description, fastestPrecision: "f32" }), {
    precision: "bf16",
    reason: undefined,
  });
});

test("native precisions do not depend on which one is faster", () => {
  for (const precisions of [
    [f32, bf16],
    [bf16, f32],
  ]) {
    assert.deepEqual(nativePrecisions({ precisions }), ["f32", "bf16"]);
  }
  assert.deepEqual(nativePrecisions({ precisions: [f32, emulated] }), ["f32"]);
});
