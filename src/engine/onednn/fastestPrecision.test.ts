import assert from "node:assert/strict";
import { test } from "node:test";
import { fastestPrecision } from "./fastestPrecision.ts";

test("bf16 is the fastest with AMX, and with AVX512-BF16 of AMD only", () => {
  const intel = "Intel(R) Xeon(R) Processor";
  const amd = "AMD EPYC 9R45";
  for (const [instructionSet, nativeBf16, processor, expected] of [
    ["AMX", true, intel, "bf16"],
    ["AVX-512 BF16", true, intel, "f32"],
    ["AVX-512 FP16", true, intel, "f32"],
    ["AVX-512 BF16", true, amd, "bf16"],
    ["AVX-512 VNNI", false, amd, "f32"],
    ["AVX2", false, intel, "f32"],
  ] as const) {
    assert.equal(
      fastestPrecision({ instructionSet, nativeBf16 }, processor),
      expected,
      `${instructionSet}, ${processor}`,
    );
  }
});
