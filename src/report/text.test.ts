import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "../escape.ts";
import { displayWidth, pad, truncate, truncateStart, wrap } from "./text.ts";

test("escape sequences, line breaks, lone surrogates and direction overrides do not get through", () => {
  assert.equal(printable("\u001b[31mred\r\nrow\u0007"), "�[31mred��row�");
  assert.equal(printable("a\ud800b"), "a�b");
  assert.equal(printable("\u202egnp.exe"), "�gnp.exe");
  assert.equal(printable("T-shirt/top, größer, 靴, 👟"), "T-shirt/top, größer, 靴, 👟");
});

test("widths are those of a terminal", () => {
  assert.equal(displayWidth("T-shirt/top"), 11);
  assert.equal(displayWidth("96×55×55 …"), 10);
  assert.equal(displayWidth("日本語"), 6);
  assert.equal(displayWidth("👟"), 2);
  assert.equal(displayWidth("e\u0301"), 1);
  assert.equal(displayWidth("███▌"), 4);
});

test("truncating keeps to the width and marks the cut", () => {
  assert.equal(truncate("Ankle boot", 10), "Ankle boot");
  assert.equal(truncate("Ankle boots", 10), "Ankle boo…");
  // A double-width character does not fit into the last free column.
  assert.equal(truncate("日本語の靴", 6), "日本…");
  assert.equal(truncateStart("Ankle boot", 10), "Ankle boot");
  assert.equal(truncateStart("Ankle boots", 10), "…kle boots");
  assert.equal(truncateStart("日本語の靴", 6), "…の靴");
  assert.equal(pad("日本", 6, "right"), "  日本");
  assert.equal(pad("Bag", 6, "left"), "Bag   ");
});

test("wrapped lines keep to the width, and every word is there in order", () => {
  const words = "Dive into Deep Learning builds it for Fashion-MNIST: 靴 日本語 ".repeat(9).trim();
  for (let width = 22; width <= 90; width++) {
    const lines = wrap(words, "Source: ", width).split("\n");
    for (const line of lines) assert.ok(displayWidth(line) <= width, `${width}: ${line}`);
    const indents = lines.map((line) => line.slice(0, 8));
    assert.deepEqual(indents, ["Source: ", ...Array(lines.length - 1).fill(" ".repeat(8))]);
    assert.equal(lines.map((line) => line.slice(8)).join(" "), words);
  }
});

test("a word longer than the line is cut", () => {
  assert.equal(wrap("abcdefghij kl", "", 4), "abcd\nefgh\nij\nkl");
});

test("a word and the next take a line together if they fill it exactly", () => {
  assert.equal(wrap("ab cd ef", "", 5), "ab cd\nef");
});
