import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openRun } from "./runDirectory.ts";

test("Windows: a run directory that it would store under another name is refused, and not created", async () => {
  const here = process.platform;
  const folder = await mkdtemp(join(tmpdir(), "alexnet-run-"));
  try {
    Object.defineProperty(process, "platform", { value: "win32" });
    for (const [name, reason] of [
      ["nul", '"nul" is a device on Windows'],
      ["exp1.", '"exp1." ends in a dot or space, which Windows drops'],
    ] as const) {
      const directory = join(folder, name);
      await assert.rejects(openRun(directory), {
        name: "CheckpointError",
        message: `${directory}: ${reason}; choose another directory`,
      });
    }
    assert.deepEqual(await readdir(folder), []);
  } finally {
    Object.defineProperty(process, "platform", { value: here });
    await rm(folder, { recursive: true });
  }
});
