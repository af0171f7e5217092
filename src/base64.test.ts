import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBase64, encodeBase64 } from "./base64.ts";

test("base64 as Node.js has it, for every byte and every length of the last group", () => {
  for (const length of [0, 1, 2, 3, 256, 257]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i);
    assert.equal(encodeBase64(bytes), Buffer.from(bytes).toString("base64"));
    assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes);
  }
  assert.deepEqual(decodeBase64("not base64!"), new Uint8Array(0));
});
