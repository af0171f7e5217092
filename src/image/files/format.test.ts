import assert from "node:assert/strict";
import { test } from "node:test";
import { formatOfExtension, readFormats, readMediaTypes, recogniseFormat } from "./format.ts";

const recognise = (text: string) => recogniseFormat(Buffer.from(text, "latin1"));

test("recogniseFormat: the formats that are read, by their first bytes", () => {
  assert.equal(recognise("\xff\xd8\xff\xe0"), "JPEG");
  assert.equal(recognise("\x89PNG\r\n\x1a\nIHDR"), "PNG");
  assert.equal(recognise("RIFF\x04\0\0\0WEBP"), "WebP");
  assert.equal(recognise("GIF87a"), "GIF");
  assert.equal(recognise("GIF89a"), "GIF");
  for (const start of ["II*\0", "MM\0*", "II+\0", "MM\0+"]) assert.equal(recognise(start), "TIFF");
  for (const length of ["\x0c", "(", "|"]) assert.equal(recognise(`BM${"?".repeat(12)}${length}\0\0\0`), "BMP");
  assert.equal(recognise("\0\0\0\x20ftypavif\0\0\0\0"), "AVIF");
  assert.equal(recognise("\0\0\0\x18ftypheic\0\0\0\0mif1"), "HEIC");
  assert.equal(recognise("\0\0\0\x1cftypmif1\0\0\0\0miafavif"), "AVIF");
});

test("readFormats, readMediaTypes and formatOfExtension tell the same formats", () => {
  assert.equal(readFormats, "JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF");
  assert.deepEqual(
    readMediaTypes,
    readFormats.split(/, | or /).map((name) => `image/${name.toLowerCase()}`),
  );
  for (const name of readFormats.split(/, | or /)) assert.equal(formatOfExtension(name.toLowerCase()), name);
  assert.equal(formatOfExtension("heic"), "HEIC");
  assert.equal(formatOfExtension("psd"), undefined);
});

test("recogniseFormat: others are named", () => {
  const others: readonly (readonly [text: string, other: RegExp])[] = [
    ["", /^an empty file$/],
    ["\x89PNG\n\x1a\n", /^a PNG file whose signature is damaged/],
    ["RIFF\x04\0\0\0WAVE", /^a RIFF file that is not WebP/],
    ["GIF88a", /^a file that starts with "GIF88a"$/],
    ["BMW and other makes of cars", /^a file that starts with "BMW and "$/],
    ["%PDF-1.7", /PDF/],
    ["PK\x03\x04", /zip/],
    ["\x1f\x8b\x08", /gzip/],
    ["\0\0\x01\0\x01\0", /ICO/],
    ["\xff\x0a", /JPEG XL/],
    ["\0\0\0\x0cJXL \r\n\x87\n", /JPEG XL/],
    ["\xff\x4f\xff\x51", /JPEG 2000/],
    ["\0\0\0\x0cjP  \r\n\x87\n", /JPEG 2000/],
    ["\0\0\0\x18ftypqt  \0\0\0\0", /^a video or other media file \(brand "qt {2}"\)$/],
    ["hello, world", /^a file that starts with "hello, w"$/],
  ];
  for (const [text, other] of others) {
    const found = recognise(text);
    assert.match(typeof found === "object" ? found.other : found, other, JSON.stringify(text));
  }
});

test("recogniseFormat: markup of any beginning and encoding", () => {
  assert.deepEqual(recognise('<svg width="9"/>'), { other: "an SVG drawing" });
  assert.deepEqual(recognise('\xef\xbb\xbf\n <?xml version="1.0"?><svg:svg/>'), { other: "an SVG drawing" });
  assert.deepEqual(recognise('<?xml version="1.0"?><a/>'), { other: "an XML file" });
  assert.deepEqual(recognise('<?xml version="1.0"?><svg xmlns="a"/>'), { other: "an SVG drawing" });
  assert.deepEqual(recognise("<!DOCTYPE html><p>"), { other: "an HTML page" });
  assert.deepEqual(recognise("  <HTML>"), { other: "an HTML page" });
  assert.deepEqual(recognise("<!-- a -->"), { other: "text that starts like XML, SVG or HTML" });
  const wide = Buffer.from("\ufeff<svg />", "utf16le");
  assert.deepEqual(recogniseFormat(wide), { other: "an SVG drawing" });
  assert.deepEqual(recogniseFormat(Buffer.from(wide).swap16()), { other: "an SVG drawing" });
});
