import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import sharp from "sharp";
import { DataError } from "../errors.ts";
import { fillWords, randomStream } from "../random.ts";
import { decodeImage } from "./decode.ts";
import type { Image } from "./image.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-damaged-"));
});
after(() => rm(folder, { recursive: true }));

const photo = await readFile("test/golden/raccoon.jpg");

async function decodeBytes(bytes: Uint8Array): Promise<Image> {
  const path = join(folder, "picture");
  await writeFile(path, bytes);
  return decodeImage(path);
}

describe("decodeImage: files that are not an intact picture", () => {
  const refused = async (bytes: Uint8Array | string, message: RegExp) => {
    await assert.rejects(decodeBytes(Buffer.from(bytes)), (error: unknown) => {
      assert.ok(error instanceof DataError);
      assert.ok(error.message.startsWith(join(folder, "picture")), error.message);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  };

  test("no picture at all", async () => {
    await refused("", /: expected a JPEG or PNG image, got an empty file$/);
    await refused("hello, world", /got a file that starts with "hello, w"$/);
    await refused(
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
      /got text that starts like XML, SVG/,
    );
    await refused(await sharp(photo).webp().toBuffer(), /got a RIFF file/);
    await refused(await sharp(photo).gif().toBuffer(), /got a GIF file$/);
    await refused(photo.subarray(1), /got a file that starts with "\.\./);
  });

  test("missing file, folder", async () => {
    await assert.rejects(decodeImage(join(folder, "none.png")), (error: unknown) => {
      assert.ok(
        error instanceof DataError &&
          error.message.endsWith("none.png: expected a JPEG or PNG image, but there is no such file"),
      );
      return true;
    });
    await assert.rejects(decodeImage(folder), DataError);
  });

  test("cut anywhere, bytes behind the end allowed", async () => {
    const small = sharp(photo).resize(40, 30);
    const exif = await small
      .clone()
      .withExif({ IFD0: { Copyright: "\xff\xd9 no end" } })
      .jpeg()
      .toBuffer();
    const files = {
      "baseline JPEG": photo,
      "progressive JPEG": await small.clone().jpeg({ progressive: true }).toBuffer(),
      "JPEG with EXIF": exif,
      "grey JPEG": await small.clone().toColourspace("b-w").jpeg().toBuffer(),
      PNG: await small.clone().png().toBuffer(),
      "palette PNG": await small.clone().png({ palette: true }).toBuffer(),
    };
    for (const [name, bytes] of Object.entries(files)) {
      const whole = await decodeBytes(bytes);
      assert.deepEqual(await decodeBytes(Buffer.concat([bytes, Buffer.from("trailing \xff bytes")])), whole, name);
      const step = Math.max(Math.floor(bytes.length / 60), 1);
      for (let length = 8; length < bytes.length; length += length > bytes.length - 30 ? 1 : step) {
        await refused(bytes.subarray(0, length), /expected a complete \w+ image, got a truncated one/);
      }
    }
  });

  test("a hole in the middle that keeps the end mark", async () => {
    const png = await sharp(photo).png().toBuffer();
    for (const bytes of [photo, png]) {
      for (const at of [0.3, 0.6, 0.9]) {
        const hole = Math.floor(at * bytes.length);
        await refused(Buffer.concat([bytes.subarray(0, hole), bytes.subarray(hole + 500)]), /(damaged|truncated) one/);
      }
    }
  });

  test("any flipped bit of a PNG is noticed; in a JPEG it is an error or a picture of the same size", async () => {
    const words = new Uint32Array(240);
    fillWords(randomStream(2, "decode.test"), 0, words);
    const small = sharp(photo).resize(40, 30);
    const [png, jpeg] = [await small.clone().png().toBuffer(), await small.clone().jpeg().toBuffer()];
    for (let i = 0; i < words.length; i += 2) {
      const flip = (bytes: Uint8Array) => {
        const flipped = Uint8Array.from(bytes);
        const at = (words[i] as number) % bytes.length;
        flipped[at] = (flipped[at] as number) ^ (1 << ((words[i + 1] as number) % 8));
        return flipped;
      };
      await refused(flip(png), /expected/);
      await decodeBytes(flip(jpeg)).then(
        ({ width, height, channels, data }) => assert.equal(data.length, width * height * channels),
        (error: unknown) => assert.ok(error instanceof DataError),
      );
    }
  });
});
