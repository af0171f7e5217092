/** Absurd inputs are refused, or read, with their message and little memory. */
// Runs beside others: it holds a limit of memory, of processes of their own, and none of time.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { writeAbsurdInputs } from "./absurdFiles.ts";
import { absurdInputs } from "./absurdInputs.ts";
import { childCost } from "./childCost.ts";
import { builtCommand } from "./command.ts";

/** A command without work needs 60 MB, a network of AlexNet's size 250 MB for its weights. */
const MAX_BYTES = 500e6;

describe("absurd inputs", () => {
  let folder = "";
  let command = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "alexnet-absurd-"));
    await writeAbsurdInputs(folder);
    command = await builtCommand();
  });
  after(() => rm(folder, { recursive: true }));

  for (const { name, args, exit: expected = 1, message, endless } of absurdInputs) {
    it(name, async () => {
      const { exit, text, peakBytes = Number.POSITIVE_INFINITY } = await childCost([command, ...args], folder, endless);
      assert.equal(exit, expected, text);
      assert.match(text, message);
      assert.doesNotMatch(text, /^ {4}at /m, "an error of the program itself");
      assert.ok(peakBytes < MAX_BYTES, `${name}: ${peakBytes / 1e6} MB`);
      for (const made of ["imported", "run", "sweep"]) await rm(join(folder, made), { recursive: true, force: true });
    });
  }
});
