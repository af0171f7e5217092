import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parseHeader } from "../checkpoint/safetensorsHeader.ts";
import { type RowHeader, rowFormats } from "./featureWriter.ts";

/** Output of scripts/golden/npy.py. */
interface Golden {
  readonly headers: readonly { readonly shape: readonly number[]; readonly bytes: string }[];
}

const npy = rowFormats.get(".npy") as RowHeader;
const safetensors = rowFormats.get(".safetensors") as RowHeader;

test(".npy: byte for byte what numpy writes", async () => {
  const { headers }: Golden = JSON.parse(
    await readFile(new URL("../../test/golden/npy.json", import.meta.url), "utf8"),
  );
  assert.ok(headers.length > 5);
  for (const { shape, bytes } of headers) {
    const [rows = 0, ...rest] = shape;
    const header = Buffer.from(npy({ name: "fc7", shape: rest, rows }));
    assert.equal(header.toString("latin1"), Buffer.from(bytes, "base64").toString("latin1"), shape.join("×"));
  }
});

test("headers have one length, whatever the number of rows", () => {
  for (const header of [npy, safetensors]) {
    const lengths = [0, 9, 10, 12_345, 99_999_999].map((rows) => header({ name: "fc7", shape: [4096], rows }).length);
    assert.equal(new Set(lengths).size, 1, lengths.join(", "));
  }
});

test(".safetensors: its strict reader takes it", () => {
  const bytes = safetensors({ name: "fc7", shape: [3, 5], rows: 12 });
  const { tensors } = parseHeader("x", bytes.subarray(8), 4 * 3 * 5 * 12);
  const [[name, { dtype, ...place }] = assert.fail(), ...others] = tensors;
  assert.deepEqual([name, dtype.name, others], ["fc7", "F32", []]);
  assert.deepEqual(place, { shape: [12, 3, 5], position: bytes.length, byteLength: 720 });
  assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true), BigInt(bytes.length - 8));
});
