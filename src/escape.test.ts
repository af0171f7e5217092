import assert from "node:assert/strict";
import { test } from "node:test";
import { csvField, jsonText, markdownText, markupText, printable, terminalText } from "./escape.ts";

/** C0, C1, delete, direction marks and overrides, separators, a lone surrogate. */
const hostile = [
  "\u0007",
  "\u001b",
  "\u009b",
  "\u007f",
  "\u200e",
  "\u200f",
  "\u061c",
  "\u202e",
  "\u2067",
  "\u2028",
  "\u2029",
  "\ud800",
];

test("no medium passes a character that controls a terminal", () => {
  for (const character of hostile) {
    const name = `a${character}b`;
    for (const to of [printable, terminalText, markupText, markdownText]) assert.equal(to(name), "a\ufffdb");
    const json = jsonText(JSON.stringify({ name }));
    assert.equal(json.includes(character), false);
    assert.deepEqual(JSON.parse(json), { name });
  }
  const kept = "naïve 靴 ไทย 👩‍👩‍👧 می‌خواهم e\u0301";
  for (const to of [printable, terminalText, markupText, markdownText, jsonText]) assert.equal(to(kept), kept);
});

test("a line stays one line; text keeps its lines", () => {
  assert.equal(printable("a\nb\tc\rd"), "a\ufffdb\ufffdc\ufffdd");
  assert.equal(terminalText("a\nb\tc\rd"), "a\nb\tc\ufffdd");
});

test("CSV fields are no formulas, and numbers stay numbers", () => {
  assert.deepEqual(
    ["=1+1", "+cmd", "-x", "@a", "\t=1", "-1.5e-7", "+3", "a=b", 'say "=1"', "=a,b", "cat"].map(csvField),
    ["'=1+1", "'+cmd", "'-x", "'@a", "'\t=1", "-1.5e-7", "+3", "a=b", '"say ""=1"""', '"\'=a,b"', "cat"],
  );
});

test("markup", () => {
  assert.equal(markupText(`<a href="x">&'`), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  assert.equal(markdownText("a|b_c*[d]\\"), "a\\|b\\_c\\*\\[d\\]\\\\");
});
