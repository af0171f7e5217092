import assert from "node:assert/strict";
import { test } from "node:test";
import { exif } from "../../test/otherImageFiles.ts";
import { exifOrientation } from "./orientation.ts";

test("exifOrientation: both byte orders, with and without the prefix", () => {
  for (const order of ["II", "MM"] as const) {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const data = exif(orientation, order);
      assert.equal(exifOrientation(data), orientation);
      assert.equal(exifOrientation(Buffer.concat([Buffer.from("Exif\0\0"), data])), orientation);
    }
  }
});

test("exifOrientation: 1 for anything else", () => {
  for (const orientation of [0, 9, 65535]) assert.equal(exifOrientation(exif(orientation)), 1);
  const six = exif(6);
  for (let length = 0; length < 22; length++) assert.equal(exifOrientation(six.subarray(0, length)), 1, `${length}`);
  for (let at = 0; at < 18; at++) {
    const damaged = Buffer.from(six);
    damaged[at] = 0xee;
    // The number of entries may be wrong without harm.
    assert.equal(exifOrientation(damaged), at === 8 || at === 9 ? 6 : 1, `byte ${at}`);
  }
});
