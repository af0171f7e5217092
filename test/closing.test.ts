/** Owners of native memory closed twice, in flight, early and from several threads: errors, and never the end of the process by a signal. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { programArguments, run } from "./command.ts";
import { modelOf, writeDrawn } from "./drawnModel.ts";
import { root } from "./sourceFiles.ts";
import { tinyNetwork } from "./tinyRuns.ts";

let folder: string;
let file: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-closing-"));
  file = join(folder, "tiny.safetensors");
  await writeDrawn(modelOf(tinyNetwork), file);
});
after(() => rm(folder, { recursive: true }));

for (const engine of ["onednn", "wasm", "reference"]) {
  test(`${engine}: every kind of owner`, async () => {
    const child = [...programArguments(join(root, "test/closingProcess.ts")), engine, file];
    const { exit, stdout, stderr } = await run(child, { cwd: folder, env: { OMP_WAIT_POLICY: "passive" } });
    assert.equal(exit, 0, `${stdout.trim().split("\n").at(-1)}: ${stderr}`);
  });
}
