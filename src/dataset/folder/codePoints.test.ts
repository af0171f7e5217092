import assert from "node:assert/strict";
import { test } from "node:test";
import { byCodePoint, sortedByPath } from "./codePoints.ts";

test("texts are in the order of their code points, as their UTF-8 bytes are", () => {
  const texts = [
    "b",
    "a",
    "Z",
    "ab",
    "",
    "ä",
    "\u{1f600}",
    "\u{1f601}",
    "\uff5e",
    "\ue000",
    "a\u{1f600}",
    "a\uff5e",
    "é",
  ];
  const byBytes = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual([...texts].sort(byCodePoint), byBytes);
  assert.notDeepEqual([...texts].sort(), byBytes); // UTF-16, the default, is another order.
});

test("paths that are decomposed stand where the composed ones would", () => {
  const [composed, decomposed] = ["caf\u00e9", "cafe\u0301"];
  const order = (...paths: readonly string[]) => sortedByPath(paths.map((path) => ({ path }))).map(({ path }) => path);
  assert.deepEqual(order("caff", composed, "cafe"), ["cafe", "caff", composed]);
  assert.deepEqual(order("caff", decomposed, "cafe"), ["cafe", "caff", decomposed]);
  assert.deepEqual(order(composed, decomposed), order(decomposed, composed));
});
