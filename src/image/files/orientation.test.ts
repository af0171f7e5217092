import assert from "node:assert/strict";
import { test } from "node:test";
import { exif } from "../../../test/otherImageFiles.ts";
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

test("exifOrientation: directories that lie, of the kinds that have hung or broken other readers", () => {
  const six = exif(6);
  const entry = six.subarray(10, 22);
  const directory = (entries: readonly Uint8Array[], next: number) =>
    Buffer.concat([six.subarray(0, 8), Buffer.of(0, entries.length), ...entries, Buffer.of(0, 0, 0, next)]);
  // A directory that names itself as the next one, and an entry whose 4 billion values lie 4 billion bytes further.
  assert.equal(exifOrientation(directory([entry], 8)), 6);
  const huge = Buffer.from("010f0002ffffffffffffffff", "hex");
  assert.equal(exifOrientation(directory([huge, entry], 0)), 6);
  assert.equal(exifOrientation(directory([huge], 8)), 1);
  // A directory at the 4-billionth byte, in itself, and behind the end; 65,535 entries of which one is there.
  for (const at of [0xffffffff, 0x80000000, 4, six.length]) {
    const elsewhere = Buffer.from(six);
    elsewhere.writeUInt32BE(at, 4);
    assert.equal(exifOrientation(elsewhere), 1, `${at}`);
  }
  const many = Buffer.from(directory([huge], 0)).fill(0xff, 8, 10);
  assert.equal(exifOrientation(many), 1);
});
