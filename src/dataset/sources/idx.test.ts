import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { DataError } from "../../errors.ts";
import { parseIdx, readIdx } from "./fashionMnist.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-idx-"));
});
after(() => rm(folder, { recursive: true }));

/** Two images of 2×3, written by hand. */
const images = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);

function changed(at: number, value: number): Uint8Array {
  const bytes = Uint8Array.from(images);
  bytes[at] = value;
  return bytes;
}

describe("parseIdx", () => {
  test("shape and data", () => {
    const { shape, data } = parseIdx("x", images, 3);
    assert.deepEqual(shape, [2, 2, 3]);
    assert.deepEqual([...data], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const inside = Buffer.concat([Buffer.of(9, 9, 9), images]).subarray(3);
    assert.deepEqual(parseIdx("x", inside, 3).shape, [2, 2, 3]);
  });

  test("each error has its message", () => {
    const cases: readonly (readonly [Uint8Array, number, string])[] = [
      [new Uint8Array(0), 3, "x: expected an IDX file with a header of 16 bytes, got 0 bytes"],
      [images.subarray(0, 15), 3, "x: expected an IDX file with a header of 16 bytes, got 15 bytes"],
      [images, 1, "x: expected the IDX magic 0x00000801, got 0x00000803"],
      [changed(2, 13), 3, "x: expected the IDX magic 0x00000803, got 0x00000d03"],
      [changed(0, 255), 3, "x: expected the IDX magic 0x00000803, got 0xff000803"],
      [images.subarray(0, 27), 3, "x: expected 12 bytes of data for the shape 2×2×3, got 11"],
      [Uint8Array.of(...images, 0), 3, "x: expected 12 bytes of data for the shape 2×2×3, got 13"],
      [changed(7, 3), 3, "x: expected 18 bytes of data for the shape 3×2×3, got 12"],
      [changed(4, 255), 3, "x: expected 25669140492 bytes of data for the shape 4278190082×2×3, got 12"],
      [changed(11, 0), 3, "x: expected at least one element, got the shape 2×0×3"],
    ];
    for (const [bytes, rank, message] of cases) {
      assert.throws(() => parseIdx("x", bytes, rank), new DataError(message));
    }
  });
});

describe("readIdx", () => {
  test("plain or gzipped, whatever the name", async () => {
    for (const [name, bytes] of Object.entries({ "plain.gz": images, zipped: gzipSync(images) })) {
      await writeFile(join(folder, name), bytes);
      assert.deepEqual((await readIdx(join(folder, name), 3)).data, Buffer.from(images.subarray(16)));
    }
  });

  test("a gzip file truncated anywhere is refused; one with any bit flipped never gives other data", async () => {
    const zipped = gzipSync(images);
    const path = join(folder, "bad.gz");
    const read = async (bytes: Uint8Array) => {
      await writeFile(path, bytes);
      return readIdx(path, 3).catch((error: unknown) => {
        assert.ok(error instanceof DataError && error.message.startsWith(`${path}: expected`));
        return undefined;
      });
    };
    for (let length = 0; length < zipped.length; length++) {
      assert.equal(await read(zipped.subarray(0, length)), undefined);
    }
    let accepted = 0;
    for (let bit = 80; bit < 8 * zipped.length; bit++) {
      const bytes = Buffer.from(zipped);
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      const idx = await read(bytes);
      if (!idx) continue;
      accepted++;
      assert.deepEqual([...idx.data], [...images.subarray(16)]);
    }
    // The last byte of compressed data has up to seven unused bits.
    assert.ok(accepted <= 7, `${accepted} flips accepted`);
  });

  test("a missing file is named", async () => {
    await assert.rejects(readIdx(join(folder, "none"), 3), /none: cannot be read \(no such file/);
  });
});
