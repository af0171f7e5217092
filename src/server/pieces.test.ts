/** Bytes in pieces: wherever they are divided, no byte is lost, and none is copied before it must be. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { copyOf, divide, joined, lengthOf, transferable } from "./pieces.ts";

const pieces = [Uint8Array.of(1, 2, 3), Uint8Array.of(), Uint8Array.of(4), Uint8Array.of(5, 6)];

test("pieces are divided at any index, within a piece or between two", () => {
  for (let at = 0; at <= 6; at++) {
    const [before, after] = divide(pieces, at);
    assert.deepEqual([...copyOf(before)], [1, 2, 3, 4, 5, 6].slice(0, at));
    assert.deepEqual([...copyOf(after)], [1, 2, 3, 4, 5, 6].slice(at));
    assert.equal(lengthOf(before), at);
  }
});

test("one piece is joined without a copy; only pieces that fill their memory are transferable", () => {
  const whole = Uint8Array.of(7, 8);
  assert.equal(joined([whole]), whole);
  assert.deepEqual([...joined(pieces)], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual([...joined([])], []);
  assert.deepEqual(transferable([whole, Uint8Array.of(1, 2).subarray(1)]), [whole.buffer]);
});
