import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { readGolden } from "../../test/golden.ts";
import { crc32c, scalarsRecord, startRecord, versionRecord } from "./tensorboardEvents.ts";

test("CRC-32C: the check value, and the examples of RFC 3720, appendix B.4", () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
  const known: readonly (readonly [bytes: Uint8Array, checksum: number])[] = [
    [Buffer.from("123456789"), 0xe3069283],
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(255), 0x62a8ab43],
    [ascending, 0x46dd794e],
    [ascending.toReversed(), 0x113fdb5c],
    [new Uint8Array(0), 0],
  ];
  for (const [bytes, checksum] of known) assert.equal(crc32c(bytes), checksum);
});

test("records are those of the tensorboard package, byte by byte", async () => {
  const golden = goldenSchema.parse(await readGolden<unknown>("tensorboard"));
  assert.equal(versionRecord({ wallTime: 1700000000.25, step: 1 }).toString("hex"), golden.version);
  assert.equal(startRecord({ wallTime: 1700000000.25, step: 301 }).toString("hex"), golden.start);
  for (const { step, wallTime, record } of golden.scalars) {
    assert.equal(scalarsRecord({ wallTime, step }, golden.values).toString("hex"), record);
  }
  const { tag, record } = golden.long;
  assert.equal(scalarsRecord({ wallTime: 2.5, step: 2 }, { [tag]: -1.5 }).toString("hex"), record);
});

const goldenSchema = z.object({
  version: z.string(),
  start: z.string(),
  values: z.record(z.string(), z.number()),
  scalars: z.array(z.object({ step: z.number(), wallTime: z.number(), record: z.string() })).nonempty(),
  long: z.object({ tag: z.string(), record: z.string() }),
});
