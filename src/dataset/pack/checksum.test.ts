import assert from "node:assert/strict";
import { test } from "node:test";
import { checksumOf } from "./checksum.ts";

test("checksumOf: published values of XXH32", () => {
  // Source: xxHash's sanity tests and its users' documentation: seed 0.
  for (const [text, expected] of [
    ["", 0x02cc5d05],
    ["a", 0x550d7456],
    ["abc", 0x32d153ff],
    ["Nobody inspects the spammish repetition", 0xe2293b2f],
  ] as const) {
    assert.equal(checksumOf(new TextEncoder().encode(text)), expected, text);
  }
});

test("checksumOf: independent of alignment, and different for every changed bit", () => {
  const bytes = Uint8Array.from({ length: 67 }, (_, i) => (i * i * 31 + 7) & 255);
  const expected = checksumOf(bytes);
  for (let at = 0; at < 8; at++) {
    const shared = new Uint8Array(new SharedArrayBuffer(80), at, 67);
    shared.set(bytes);
    assert.equal(checksumOf(shared), expected, `${at}`);
  }
  const found = new Set([expected]);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const changed = bytes.slice();
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    found.add(checksumOf(changed));
  }
  assert.equal(found.size, 1 + 8 * bytes.length);
});
