/** Some thousands of mutated weights files, in every test run. */
// Runs alone: it holds limits of time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fuzz, fuzzTargets } from "./interopFuzz.ts";

/** `node --import tsx scripts/fuzz.ts` makes 100,000 of each. */
const MUTATIONS = 4000;
/** They are files of a few kilobytes: what takes a second on a busy machine would take for ever. */
const LIMIT_MS = 2000;
/** What those files cost, thousands of times over, is collected; this much is not. */
const LIMIT_BYTES = 400e6;

for (const target of await fuzzTargets()) {
  test(`${MUTATIONS} damaged files, ${target.name}: an error or a correct read`, async () => {
    const before = process.memoryUsage.rss();
    const { read, refused, slowestMs } = await fuzz(target, MUTATIONS);
    assert.ok(read + refused >= MUTATIONS);
    assert.ok(refused > MUTATIONS / 10, `only ${refused} refused`);
    assert.ok(slowestMs < LIMIT_MS, `one took ${slowestMs} ms`);
    assert.ok(process.memoryUsage.rss() - before < LIMIT_BYTES, "memory grew");
  });
}
