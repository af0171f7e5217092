import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { readGolden } from "../../../test/golden.ts";
import { decodeImage } from "./decode.ts";

/** Made by scripts/golden/pngsuite.py. */
interface Golden {
  readonly files: Readonly<
    Record<
      string,
      { readonly width: number; readonly height: number; readonly channels: number; readonly deflated: string }
    >
  >;
}

const folder = "test/golden/pngsuite";

test("PngSuite: the pixels are those that Pillow reads", async () => {
  const { files } = await readGolden<Golden>("pngsuite");
  assert.deepEqual(
    Object.keys(files).sort(),
    readdirSync(folder)
      .filter((name) => name.endsWith(".png"))
      .sort(),
  );
  assert.equal(Object.keys(files).length, 35);
  for (const [name, { width, height, channels, deflated }] of Object.entries(files)) {
    const image = await decodeImage(`${folder}/${name}`);
    assert.deepEqual([image.width, image.height, image.channels], [width, height, channels], name);
    const expected = inflateSync(Buffer.from(deflated, "base64"));
    assert.equal(image.data.length, expected.length, name);
    const error = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - (image.data[i] as number))), 0);
    // Alpha blending truncates here and rounds there; a palette is blended as there.
    assert.ok(error <= (/n[46]a/.test(name) ? 1 : 0), `${name}: ${error}`);
  }
});
