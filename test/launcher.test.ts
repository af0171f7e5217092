/** `bin/alexnet.js` in a checkout, in a checkout that is not set up, and in an installed package. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { root } from "./sourceFiles.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-launcher-"));
});
after(() => rm(folder, { recursive: true }));

/** A package whose command prints its arguments and returns 7. */
async function place(name: string, main: string, program: string): Promise<string> {
  const base = join(folder, name);
  await cp(join(root, "bin"), join(base, "bin"), { recursive: true });
  for (const file of ["package.json", "tsconfig.json"]) await cp(join(root, file), join(base, file));
  await mkdir(join(base, main, ".."), { recursive: true });
  await writeFile(join(base, main), program);
  return join(base, "bin/alexnet.js");
}

const run = (command: string) =>
  spawnSync(process.execPath, [command, "summary", "--json"], { cwd: folder, encoding: "utf8" });

const typescript = `export async function main(argv: readonly string[]): Promise<number> { console.log(argv.join(" ")); return 7; }`;

test("an installed package runs its build", async () => {
  const command = await place(
    "package",
    "dist/cli/main.js",
    typescript.replace(/: (?:readonly string\[\]|Promise<number>)/g, ""),
  );
  const { status, stdout } = run(command);
  assert.deepEqual([status, stdout], [7, "summary --json\n"]);
});

test("a checkout runs its source from any folder and through a link, even beside a build", async () => {
  const command = await place("checkout", "src/cli/main.ts", typescript);
  await place("checkout", "dist/cli/main.js", "throw new Error('stale');");
  await symlink(join(root, "node_modules"), join(folder, "checkout/node_modules"));
  await symlink(command, join(folder, "alexnet"));
  const { status, stdout, stderr } = run(join(folder, "alexnet"));
  assert.deepEqual([status, stdout, stderr], [7, "summary --json\n", ""]);
});

test("a checkout without its packages says how to set it up", async () => {
  const { status, stderr } = run(await place("bare", "src/cli/main.ts", typescript));
  assert.deepEqual([status, stderr], [1, "alexnet: this checkout is not set up; run: npm run setup\n"]);
});
