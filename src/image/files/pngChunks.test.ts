import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateSync } from "node:zlib";
import { assertRefused, decodeAsFile } from "../../../test/decoded.ts";
import { exif } from "../../../test/otherImageFiles.ts";
import { idat, ihdr, type PngForm, pngChunk, pngFile } from "../../../test/pngFiles.ts";
import { crc32 } from "./crc32.ts";
import { inspectImage } from "./readImageFile.ts";

const palette = pngChunk("PLTE", [1, 2, 3, 40, 50, 60, 7, 8, 9, 250, 251, 252]);
const grey: PngForm = { width: 3, height: 2, bitDepth: 8, colourType: 0 };
const rgb: PngForm = { ...grey, colourType: 2 };
const indexed: PngForm = { ...grey, colourType: 3, bitDepth: 2 };
const pixelsOf = (form: PngForm) => idat(form, (x, y, c) => (x + y + c) % 2);
const [signature, iend] = [pngFile().subarray(0, 8), pngChunk("IEND")];

describe("PNG: broken files", () => {
  const broken: Readonly<Record<string, readonly [file: Uint8Array, message: RegExp]>> = {
    "bad signature": [
      Buffer.concat([Buffer.from("\x89PNG\n\x1a\n", "latin1"), ihdr(grey)]),
      /got a PNG file whose signature/,
    ],
    "no IHDR": [pngFile(pixelsOf(grey)), /begins with IDAT, not with IHDR/],
    "nothing at all": [pngFile(), /begins with IEND/],
    "IHDR twice": [pngFile(ihdr(grey), ihdr(grey), pixelsOf(grey)), /second critical chunk IHDR/],
    "IHDR too short": [pngFile(pngChunk("IHDR", [0, 0, 0, 1])), /IHDR of 4 bytes/],
    "no IDAT": [pngFile(ihdr(grey)), /no IDAT/],
    "no PLTE": [pngFile(ihdr(indexed), pixelsOf(indexed)), /no PLTE/],
    "PLTE after IDAT": [pngFile(ihdr(rgb), pixelsOf(rgb), palette), /PLTE occurs twice or after/],
    "PLTE twice": [pngFile(ihdr(indexed), palette, palette, pixelsOf(indexed)), /PLTE occurs twice/],
    "PLTE of 4 bytes": [pngFile(ihdr(indexed), pngChunk("PLTE", [1, 2, 3, 4]), pixelsOf(indexed)), /PLTE of 4 bytes/],
    "tRNS with alpha": [
      pngFile(ihdr({ ...grey, colourType: 4 }), pngChunk("tRNS", [0, 0])),
      /tRNS of 2 bytes with colour type 4/,
    ],
    "tRNS of one byte": [pngFile(ihdr(grey), pngChunk("tRNS", [0])), /tRNS of 1 bytes/],
    "tRNS after IDAT": [pngFile(ihdr(grey), pixelsOf(grey), pngChunk("tRNS", [0, 0])), /tRNS occurs twice or/],
    "other chunk between": [
      pngFile(ihdr(grey), pixelsOf(grey), pngChunk("tEXt", [65, 0, 66]), pixelsOf(grey)),
      /separate its IDAT/,
    ],
    "critical unknown": [pngFile(ihdr(grey), pngChunk("ABCD"), pixelsOf(grey)), /critical chunk ABCD/],
    "no IEND": [Buffer.concat([signature, ihdr(grey), pixelsOf(grey)]), /complete PNG image, got a truncated one/],
    "a chunk that runs past the file": [
      Buffer.concat([signature, Buffer.from("\xff\xff\xff\xffIDAT\0\0\0\0\0\0\0\0", "latin1")]),
      /truncated/,
    ],
    "no chunk": [Buffer.concat([signature, Buffer.alloc(20)]), /no chunk at byte 8/],
    "too few rows": [pngFile(ihdr({ ...grey, height: 3 }), pixelsOf(grey)), /damaged one \(.*libpng/],
    "not a zlib stream": [pngFile(ihdr(grey), pngChunk("IDAT", [1, 2, 3, 4])), /damaged one \(.*libpng/],
    "a filter that is none": [
      pngFile(ihdr(grey), pngChunk("IDAT", deflateSync(Buffer.of(9, 1, 2, 3, 0, 4, 5, 6)))),
      /damaged one/,
    ],
  };
  for (const [name, [file, message]] of Object.entries(broken)) test(name, () => assertRefused(file, message));

  test("bit depths that a colour type does not have, colour types that do not exist", async () => {
    const depths: Readonly<Record<number, readonly number[]>> = {
      0: [1, 2, 4, 8, 16],
      2: [8, 16],
      3: [1, 2, 4, 8],
      4: [8, 16],
      6: [8, 16],
    };
    for (let colourType = 0; colourType <= 8; colourType++) {
      for (const bitDepth of [0, 1, 2, 3, 4, 8, 16, 32]) {
        if (depths[colourType]?.includes(bitDepth)) continue;
        await assertRefused(
          pngFile(ihdr({ ...grey, colourType, bitDepth })),
          /unknown colour type \d|bit depth \d+, but/,
        );
      }
    }
  });

  test("a wrong checksum of each chunk, also of those that no decoder reads", async () => {
    const chunks = [
      ihdr(indexed),
      palette,
      pngChunk("tRNS", [1]),
      pixelsOf(indexed),
      pngChunk("tEXt", [65, 0, 66]),
      iend,
    ];
    for (let i = 0; i < chunks.length; i++) {
      const bad = chunks.map((chunk, j) => {
        const copy = Buffer.from(chunk);
        if (i === j) copy[copy.length - 1] = (copy.at(-1) as number) ^ 1;
        return copy;
      });
      await assertRefused(Buffer.concat([signature, ...bad]), /the checksum of \w{4} at byte \d+ is wrong/);
    }
  });

  test("a signature that is damaged, as by a transfer as text or byte by byte", async () => {
    const file = pngFile(ihdr(grey), pixelsOf(grey)).toString("latin1");
    const asText: readonly ((text: string) => string)[] = [
      (text) => text.replaceAll("\r\n", "\n"),
      (text) => text.replaceAll("\n", "\r\n"),
      (text) => text.replaceAll("\r", ""),
      (text) => text.replaceAll("\n", "\r"),
    ];
    for (const transfer of asText) {
      await assertRefused(Buffer.from(transfer(file), "latin1"), /got a PNG file whose signature is damaged/);
    }
    for (let at = 0; at < 8; at++) {
      const copy = Buffer.from(file, "latin1");
      copy[at] = (copy[at] as number) & 0x7f;
      if (at > 0) copy[at] = (copy[at] as number) ^ 0x20;
      await assertRefused(copy, at < 4 ? /a file that starts with "/ : /a PNG file whose signature is damaged/);
    }
  });

  test("pixels that end early or have a wrong checksum; more of them than there are rows are passed over", async () => {
    const rows = Buffer.of(0, 1, 2, 3, 0, 4, 5, 6);
    const of = (data: Uint8Array) => pngFile(ihdr(grey), pngChunk("IDAT", data));
    const coded = deflateSync(rows);
    for (let length = 0; length < coded.length; length++) {
      await assertRefused(of(coded.subarray(0, length)), /damaged one \(.*libpng/);
    }
    await assertRefused(of(deflateSync(rows.subarray(0, 7))), /damaged one \(.*libpng/);
    const wrong = Buffer.from(coded).fill(0, coded.length - 1);
    await assertRefused(of(wrong), /damaged one \(.*libpng/);
    const whole = await decodeAsFile(of(coded));
    const more = [deflateSync(Buffer.concat([rows, rows])), Buffer.concat([coded, Buffer.from("more")])];
    for (const data of more) assert.deepEqual(await decodeAsFile(of(data)), whole);
  });

  test("broken ancillary chunks, which do not change pixels, change nothing", async () => {
    const whole = await decodeAsFile(pngFile(ihdr(rgb), pixelsOf(rgb)));
    const profile = pngChunk("iCCP", [65, 0, 0, ...deflateSync(Buffer.from("no profile"))]);
    const bomb = pngChunk("zTXt", [65, 0, 0, ...deflateSync(Buffer.alloc(60e6))]);
    const names = [
      "gAMA",
      "cHRM",
      "sRGB",
      "sBIT",
      "bKGD",
      "hIST",
      "pHYs",
      "sPLT",
      "tIME",
      "tEXt",
      "iTXt",
      "eXIf",
      "abcd",
    ];
    const short = names.map((name) => pngChunk(name, [1]));
    for (const chunk of [profile, bomb, ...short]) {
      const file = pngFile(ihdr(rgb), chunk, chunk, pixelsOf(rgb));
      assert.deepEqual(await decodeAsFile(file), whole, chunk.toString("latin1", 4, 8));
    }
  });

  test("compression, filter and interlace methods that do not exist", async () => {
    for (const at of [10, 11, 12]) {
      const data = Uint8Array.from(ihdr(grey).subarray(8, 21));
      data[at] = 2;
      await assertRefused(pngFile(pngChunk("IHDR", data), pixelsOf(grey)), /are not 0, 0 and 0 or 1/);
    }
  });
});

test("PNG: EXIF is read before the pixels and after them", async () => {
  const early = await decodeAsFile(pngFile(ihdr(grey), pngChunk("eXIf", exif(6)), pixelsOf(grey)));
  const late = await decodeAsFile(pngFile(ihdr(grey), pixelsOf(grey), pngChunk("eXIf", exif(6))));
  assert.deepEqual([early.width, early.height], [2, 3]);
  assert.deepEqual(late, early);
});

test("PNG: chunks that do not change pixels, unknown ones, empty IDAT and bytes after IEND are skipped", async () => {
  const plain = await decodeAsFile(pngFile(ihdr(grey), pixelsOf(grey)));
  const more = [pngChunk("gAMA", [0, 0, 177, 143]), pngChunk("teSt", [1, 2])];
  const file = pngFile(ihdr(grey), ...more, pixelsOf(grey), pngChunk("IDAT"), pngChunk("tEXt", [65, 0, 66]));
  assert.deepEqual(await decodeAsFile(Buffer.concat([file, Buffer.from("more")])), plain);
  assert.equal(inspectImage(file).header.isProgressive, false);
});

test("crc32: the check value of the catalogue, and nothing", () => {
  assert.equal(crc32(Buffer.from("123456789")), 0xcbf43926);
  assert.equal(crc32(new Uint8Array()), 0);
});
