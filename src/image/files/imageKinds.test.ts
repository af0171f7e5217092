import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inflateSync } from "node:zlib";
import { readGolden } from "../../../test/golden.ts";
import { DataError } from "../../errors.ts";
import { decodeBytes } from "./decode.ts";

/** Made by scripts/golden/imageKinds.py. */
interface Golden {
  readonly cases: Readonly<Record<string, Case>>;
  /** TIFF files that are refused, by words of the message. */
  readonly refused: Readonly<Record<string, string>>;
}
interface Case {
  readonly by: "Pillow" | "writer";
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** Levels by which a pixel may differ. */
  readonly tolerance: number;
  /** Deflated, in base64. */
  readonly file: string;
  readonly pixels: string;
}
const { cases, refused } = await readGolden<Golden>("imageKinds");
const inflated = (text: string) => inflateSync(Buffer.from(text, "base64"));

describe("TIFF, BMP and AVIF have the pixels that Pillow reads, or that were written", () => {
  for (const [name, { by, width, height, channels, tolerance, file, pixels }] of Object.entries(cases)) {
    test(`${name}, by ${by}`, async () => {
      const { image, format } = await decodeBytes(inflated(file));
      assert.equal(name.replace("Big", "").split(",")[0], format);
      assert.deepEqual([image.width, image.height, image.channels], [width, height, channels]);
      const expected = inflated(pixels);
      assert.equal(image.data.length, expected.length);
      const error = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (image.data[i] as number))), 0);
      assert.ok(error <= tolerance, `${error} levels`);
    });
  }
});

test("TIFF: kinds that are not read are named", async () => {
  for (const [kind, file] of Object.entries(refused)) {
    await assert.rejects(decodeBytes(inflated(file)), (error: unknown) => {
      assert.ok(error instanceof DataError, `${kind}: ${error}`);
      assert.match(
        error.message,
        /^expected a common kind of TIFF image, got one [^;]+; save it again as JPEG or PNG$/,
      );
      assert.ok(error.message.includes(kind), `${kind}: ${error.message}`);
      return true;
    });
  }
});
