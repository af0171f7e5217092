/** Text in figures, in any script. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { unpackWoff, withFonts } from "./fonts.ts";
import { toPng } from "./png.ts";

const figure = (text: string) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="80" height="30" font-family="DejaVu Sans" font-size="14"><text x="2" y="20">${text}</text></svg>`;

test("toPng: letters of every script are distinct", () => {
  const pairs = ["猫狗", "ねこ", "カタ", "한국", "แม", "قط", "हब", "אב", "ქა", "አማ", "தம", "😀😃", "𝐀𝐁"];
  for (const [a, b] of pairs.map((pair) => [...pair] as [string, string])) {
    assert.notDeepEqual(toPng(figure(a)), toPng(figure(b)), `${a} and ${b}`);
    assert.deepEqual(toPng(figure(a)), toPng(figure(a)));
  }
});

test("toPng: European text takes the package's fonts alone", () => {
  for (const text of ["Ångström, żółw", "× – … “x” α Ж"]) {
    assert.equal(withFonts(figure(text)).font.loadSystemFonts, false);
  }
});

test("toPng: a character without a glyph becomes its code point, with one warning", async () => {
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on("warning", listen);
  // Unassigned, so that no machine has a font for it.
  for (let i = 0; i < 2; i++) assert.equal(withFonts(figure("a\u{e1234}b")).svg, figure("a[U+E1234]b"));
  await new Promise(setImmediate);
  process.off("warning", listen);
  // A machine with few fonts still has warnings of the characters before.
  const own = warnings.filter(({ message }) => /no font draws .*U\+E1234/.test(message));
  assert.equal(own.length, 1);
});

test("unpackWoff: each table has the checksum that the file's directory says", () => {
  const { resolve } = createRequire(import.meta.url);
  const woff = readFileSync(resolve("@fontsource/unifont/files/unifont-latin-400-normal.woff"));
  const font = unpackWoff(woff);
  const tables = font.readUInt16BE(4);
  assert.equal(tables, woff.readUInt16BE(12));
  for (let i = 0; i < tables; i++) {
    const [checksum, offset, length] = [4, 8, 12].map((field) => font.readUInt32BE(12 + 16 * i + field)) as [
      number,
      number,
      number,
    ];
    const tag = font.toString("latin1", 12 + 16 * i, 16 + 16 * i);
    let sum = 0;
    for (let at = offset; at < offset + length; at += 4) {
      // The checksum of `head` leaves out its own field of the whole file's.
      if (tag !== "head" || at !== offset + 8) sum = (sum + font.readUInt32BE(at)) >>> 0;
    }
    assert.equal(sum, checksum, tag);
  }
});
