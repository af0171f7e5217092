/** README.md's example does what it says. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { loadFashionMnist } from "../src/dataset/sources/fashionMnist.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { run } from "./command.ts";
import { root } from "./sourceFiles.ts";
import { timelessLog } from "./tinyRuns.ts";

const api = pathToFileURL(join(root, "src/index.ts")).href;

test("the TypeScript example runs in a folder of its own and prints what it should", async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  const examples = [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ""]) => code);
  assert.equal(examples.length, 1);
  const folder = await mkdtemp(join(tmpdir(), "alexnet-readme-"));
  try {
    const dataset = await loadFashionMnist();
    await writeFile(join(folder, "shoe.png"), await encodePng(dataset.test.image(0)));
    await writeFile(join(folder, "package.json"), '{ "type": "module" }');
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    const program = (examples[0] as string).replace('from "alexnet"', `from "${api}"`);
    assert.ok(program.includes(api), 'the example imports from "alexnet"');
    await writeFile(join(folder, "example.ts"), program);
    const { exit, stdout, stderr } = await run(["--import", "tsx", "example.ts"], { cwd: folder });
    assert.equal(exit, 0, stderr);
    const [accuracy, best = "", ...rest] = stdout.trimEnd().split("\n");
    assert.deepEqual(rest, []);
    assert.equal(Number(accuracy), (await timelessLog(join(folder, "runs/example"))).at(-1)?.testAccuracy);
    const [, className, probability] = /^(.+) (\S+)$/.exec(best) ?? [];
    assert.ok(dataset.classNames.includes(className ?? ""), best);
    // The most probable of ten.
    assert.ok(Number(probability) >= 0.1 && Number(probability) <= 1, best);
  } finally {
    await rm(folder, { recursive: true });
  }
});
