import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { DataError } from "../errors.ts";
import { keepRows, type Rows, type RowsRequest } from "./featureFile.ts";

const [rows, length] = [23, 5];
let cacheDir: string;
/** First row of each computation of this test. */
let begun: number[] = [];
before(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "alexnet-rows-"));
});
beforeEach(async () => {
  begun = [];
  await rm(join(cacheDir, "packs"), { recursive: true, force: true });
});
after(() => rm(cacheDir, { recursive: true }));

const value = (row: number, i: number) => Math.fround(row + i / 7);

/** Four rows at a time. */
async function* compute(from: number): AsyncGenerator<Float32Array> {
  begun.push(from);
  for (let row = from; row < rows; row += 4) {
    const count = Math.min(4, rows - row);
    yield Float32Array.from({ length: count * length }, (_, k) => value(row + Math.floor(k / length), k % length));
  }
}

function request(more: Partial<RowsRequest> = {}): RowsRequest {
  return { key: "abc", what: "rows", rows, length, compute, cacheDir, ...more };
}

/** All rows are what they should be, read ahead or not. */
async function check(kept: Rows): Promise<void> {
  const target = new Float32Array(length + 2);
  for (let row = 0; row < rows; row++) {
    if (row % 4 === 0) await kept.prefetch(Uint32Array.from({ length: Math.min(3, rows - row) }, (_, i) => row + i));
    kept.write(row, target, 1);
    assert.deepEqual([...target], [0, ...Array.from({ length }, (_, i) => value(row, i)), 0]);
  }
  await kept.close();
}

const folder = () => join(cacheDir, "packs", "features-abc");

test("rows are computed once", async () => {
  const first = await keepRows(request());
  assert.equal(first.computed, rows);
  await check(first);
  const second = await keepRows(request());
  assert.equal(second.computed, 0);
  await check(second);
  assert.deepEqual(begun, [0]);
  assert.deepEqual((await readdir(folder())).sort(), ["rows.bin", "rows.jsonl", "rows.sums", "used"]);
  await check(await keepRows(request({ key: "abd" })));
  assert.deepEqual(begun, [0, 0], "another key, other rows");
});

test("a computation that is stopped resumes there; rows after the count are not trusted", async () => {
  const stop = new AbortController();
  const onProgress = (done: number) => void (done >= 8 && stop.abort());
  await assert.rejects(keepRows(request({ signal: stop.signal, onProgress })), { name: "AbortError" });
  await writeFile(join(folder(), "rows.bin"), Buffer.alloc(1000, 255), { flag: "a" });
  const kept = await keepRows(request());
  assert.deepEqual([begun, kept.computed], [[0, 8], rows - 8]);
  await check(kept);
});

test("a byte changed anywhere in the rows or their checksums is an error, and the next run computes them again", async () => {
  for (const file of ["rows.bin", "rows.sums"]) {
    for (const at of [0, 41, 4 * rows - 1]) {
      await check(await keepRows(request()));
      const bytes = await readFile(join(folder(), file));
      bytes[at] = (bytes[at] as number) ^ 64;
      await writeFile(join(folder(), file), bytes);
      const messages: string[] = [];
      const damaged = await keepRows(request({ onMessage: (message) => messages.push(message) }));
      await assert.rejects(check(damaged), (error: unknown) => {
        assert.ok(error instanceof DataError);
        assert.match(error.message, /rows\.bin: expected checksum \d+ of the 20 bytes at \d+, got \d+: .*; run again/);
        return true;
      });
      await damaged.close();
      const again = await keepRows(request());
      assert.equal(again.computed, rows, `${file}, byte ${at}`);
      await check(again);
    }
  }
});

test("rows kept by an earlier version are computed again, which is said", async () => {
  await check(await keepRows(request()));
  await writeFile(join(folder(), "rows.jsonl"), `${JSON.stringify({ format: 1, rows, length, done: rows })}\n`);
  const messages: string[] = [];
  const again = await keepRows(request({ onMessage: (message) => messages.push(message) }));
  assert.equal(again.computed, rows);
  assert.match(messages.join("\n"), /^rows: the cache in .*features-abc is unusable; computing it again$/);
  await check(again);
});

test("a computation that fails leaves what was kept before", async () => {
  const failing = async function* (from: number) {
    yield* compute(from);
    throw new Error("broken");
  };
  await assert.rejects(keepRows(request({ compute: failing })), /broken/);
  await check(await keepRows(request()));
});

test("damaged rows are computed again", async () => {
  const damages: readonly (() => Promise<void>)[] = [
    () => truncate(join(folder(), "rows.bin"), 40),
    () => writeFile(join(folder(), "rows.jsonl"), "{"),
    () => rm(join(folder(), "rows.jsonl")),
    () => rm(join(folder(), "rows.bin")),
  ];
  await (await keepRows(request())).close();
  for (const damage of damages) {
    await damage();
    begun = [];
    const kept = await keepRows(request());
    assert.deepEqual(begun, [0]);
    await check(kept);
  }
});

test("rows that are open can be read when they are removed", async () => {
  const kept = await keepRows(request());
  await rm(join(cacheDir, "packs"), { recursive: true });
  await check(kept);
});

test("they are bounded with the packs: the ones used longest ago make room, and what is larger than the bound is refused", async () => {
  const bytes = 4 * rows * length;
  const limitBytes = bytes + 200;
  await (await keepRows(request({ limitBytes }))).close();
  await (await keepRows(request({ limitBytes, key: "next" }))).close();
  assert.deepEqual(await readdir(join(cacheDir, "packs")), ["features-next"]);
  await assert.rejects(keepRows(request({ limitBytes: bytes - 1 })), (error) => {
    assert.ok(error instanceof DataError);
    assert.match(
      error.message,
      /^feature cache: no disk space for 23 rows of 5 numbers \(.* B\); use fewer --kept-views, or 0 for no cache/,
    );
    return true;
  });
  assert.equal((await readFile(join(cacheDir, "packs/features-next/rows.jsonl"), "utf8")).includes('"done":23'), true);
});
