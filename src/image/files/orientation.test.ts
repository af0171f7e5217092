import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { decodeAsFile } from "../../../test/decoded.ts";
import { readGolden } from "../../../test/golden.ts";
import { exif } from "../../../test/otherImageFiles.ts";
import { exifOrientation } from "./orientation.ts";

interface Golden {
  readonly cases: readonly { readonly name: string; readonly pillow: number; readonly file: string }[];
}
const { cases } = await readGolden<Golden>("orientation");

interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** The orientation by whose correction an image with quarters of red, blue, green and white becomes this one. */
function correctedOrientation({ width, height, channels, data }: Pixels): number {
  const letterAt = (x: number, y: number) => {
    const colour = [...data.subarray((y * width + x) * channels, (y * width + x) * channels + 3)];
    return Math.min(...colour) > 200 ? "W" : "RGB"[colour.indexOf(Math.max(...colour))];
  };
  const letters = [2, height - 3].flatMap((y) => [letterAt(2, y), letterAt(width - 3, y)]).join("");
  return ["RBGW", "BRWG", "WGBR", "GWRB", "RGBW", "GRWB", "WBGR", "BWRG"].indexOf(letters) + 1;
}

test("orientation: what sharp or Pillow applies is applied, and nothing else", async (t) => {
  for (const { name, pillow, file } of cases) {
    await t.test(name, async () => {
      const bytes = Buffer.from(file, "base64");
      const { data, info } = await sharp(bytes)
        .autoOrient()
        .toColourspace("srgb")
        .raw()
        .toBuffer({ resolveWithObject: true });
      const applied = [correctedOrientation({ ...info, data }), pillow].filter((orientation) => orientation !== 1);
      const expected = applied[0] ?? 1;
      assert.equal(correctedOrientation(await decodeAsFile(bytes)), expected, `sharp and Pillow: ${applied}`);
    });
  }
});

test("exifOrientation: both byte orders, with and without the prefix", () => {
  for (const order of ["II", "MM"] as const) {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const data = exif(orientation, order);
      assert.equal(exifOrientation(data), orientation);
      assert.equal(exifOrientation(Buffer.concat([Buffer.from("Exif\0\0"), data])), orientation);
    }
  }
});

test("exifOrientation: 1 for other values, nothing for damaged data", () => {
  for (const orientation of [0, 9, 65535]) assert.equal(exifOrientation(exif(orientation)), 1);
  const six = exif(6);
  for (let length = 0; length < 22; length++)
    assert.equal(exifOrientation(six.subarray(0, length)), undefined, `${length}`);
  for (let at = 0; at < 18; at++) {
    const damaged = Buffer.from(six);
    damaged[at] = 0xee;
    // The number of entries may be wrong without harm; and of values, if that does not move them elsewhere.
    assert.equal(exifOrientation(damaged), at === 8 || at === 9 ? 6 : undefined, `byte ${at}`);
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
  assert.equal(exifOrientation(directory([huge], 8)), undefined);
  // Orientations at the 4-billionth byte, and 4 billion of them.
  for (const far of ["0112000500000001ffffffff", "01120004ffffffffffffffff"]) {
    assert.equal(exifOrientation(directory([Buffer.from(far, "hex")], 0)), undefined);
  }
  // A directory at the 4-billionth byte, in itself, and after the end; 65,535 entries of which one is there.
  for (const at of [0xffffffff, 0x80000000, 4, six.length]) {
    const elsewhere = Buffer.from(six);
    elsewhere.writeUInt32BE(at, 4);
    assert.equal(exifOrientation(elsewhere), undefined, `${at}`);
  }
  const many = Buffer.from(directory([huge], 0)).fill(0xff, 8, 10);
  assert.equal(exifOrientation(many), undefined);
});
