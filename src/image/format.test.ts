import assert from "node:assert/strict";
import { test } from "node:test";
import { reachesEnd, recogniseFormat } from "./format.ts";

test("reachesEnd: JPEG segments, coded data, restart marks and fill bytes are passed over, wherever it is cut", () => {
  const bytes = Uint8Array.from(
    [
      [0xff, 0xd8],
      [0xff, 0xe1, 0, 6, 0xff, 0xd9, 0xff, 0xd9], // APP1 with end marks inside, as of a thumbnail
      [0xff, 0xff, 0xfe, 0, 2], // a fill byte, then an empty comment
      [0xff, 0xda, 0, 4, 1, 2, 7, 0xff, 0, 0xd9, 0xff, 0xd0, 8, 0xff, 0xd7, 9], // a scan
      [0xff, 0xc4, 0, 5, 0xff, 0xd9, 3], // a table between scans, with an end mark inside
      [0xff, 0xda, 0, 2, 0xd9, 0xff, 0, 0xff, 0xff, 0xd9], // a scan that ends in a fill byte
    ].flat(),
  );
  assert.equal(reachesEnd("JPEG", bytes), true);
  assert.equal(reachesEnd("JPEG", Uint8Array.of(...bytes, 0, 1, 0xff)), true);
  for (let length = 2; length < bytes.length; length++) {
    assert.equal(reachesEnd("JPEG", bytes.subarray(0, length)), false, `${length} bytes`);
  }
});

test("reachesEnd: PNG chunks are walked by their lengths, also ones that run past the file", () => {
  const chunk = (type: string, data: readonly number[]) => [
    0,
    0,
    0,
    data.length,
    ...Buffer.from(type),
    ...data,
    0,
    0,
    0,
    0,
  ];
  const signature = [...Buffer.from("\x89PNG\r\n\x1a\n", "latin1")];
  const bytes = Uint8Array.of(...signature, ...chunk("IDAT", [...Buffer.from("IEND")]), ...chunk("IEND", []));
  assert.equal(reachesEnd("PNG", bytes), true);
  assert.equal(reachesEnd("PNG", Uint8Array.of(...bytes, 1, 2, 3)), true);
  for (let length = 8; length < bytes.length; length++) {
    assert.equal(reachesEnd("PNG", bytes.subarray(0, length)), false, `${length} bytes`);
  }
  assert.equal(reachesEnd("PNG", Uint8Array.of(...signature, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4)), false);
});

test("recogniseFormat: two formats are read, the others are named", () => {
  assert.equal(recogniseFormat(Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)), "JPEG");
  assert.equal(recogniseFormat(Buffer.from("\x89PNG\r\n\x1a\nIHDR", "latin1")), "PNG");
  assert.deepEqual(recogniseFormat(Buffer.from("\x89PNG\n\x1a\n", "latin1")), {
    other: 'a file that starts with ".PNG..."',
  });
  assert.deepEqual(recogniseFormat(Buffer.from("BM6")), { other: "a BMP file" });
});
