/** What `npm pack` makes is a package that works where its dependencies are installed. */
// Runs alone: it builds dist/ in the checkout.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { run } from "./command.ts";
import { root } from "./sourceFiles.ts";

const execute = promisify(execFile);
let folder: string;
let installed: string;
let files: readonly string[];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-pack-"));
  const { stdout } = await execute("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root });
  // The build that npm runs first may print something, too.
  const [pack]: { filename: string; files: { path: string }[] }[] = JSON.parse(stdout.slice(stdout.indexOf("[\n")));
  assert.ok(pack);
  files = pack.files.map(({ path }) => path);
  const modules = join(folder, "node_modules");
  installed = join(modules, "alexnet");
  await mkdir(installed, { recursive: true });
  await execute("tar", ["-xzf", join(folder, pack.filename), "-C", installed, "--strip-components", "1"]);
  const { dependencies } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  // Dependencies as npm would put them beside it, without the network: from this checkout.
  for (const name of await readdir(join(root, "node_modules"))) {
    if (!name.startsWith(".") && name !== "alexnet")
      await symlink(join(root, "node_modules", name), join(modules, name));
  }
  for (const name of Object.keys(dependencies)) assert.ok((await readdir(join(modules, name))).length > 0, name);
});
after(() => rm(folder, { recursive: true }));

test("it holds the command, the build with its types, and no source or tests", () => {
  for (const path of [
    "bin/alexnet.js",
    "dist/index.js",
    "dist/index.d.ts",
    "dist/cli/main.js",
    "README.md",
    "LICENSE",
  ]) {
    assert.ok(files.includes(path), path);
  }
  const others = files.filter(
    (path) => !/^(bin\/alexnet\.js|dist\/.*\.(js|d\.ts)|package\.json|README(\.zh-CN)?\.md|LICENSE)$/.test(path),
  );
  assert.deepEqual(others, []);
  assert.deepEqual(
    files.filter((path) => path.includes("test")),
    [],
  );
});

test("its command runs", async () => {
  const { exit, stdout, stderr } = await run(["node_modules/alexnet/bin/alexnet.js", "summary", "alexnet", "--json"], {
    cwd: folder,
  });
  assert.equal(exit, 0, stderr);
  assert.equal(JSON.parse(stdout).totals.parameters, 60965224);
  const version = await run(["node_modules/alexnet/bin/alexnet.js", "--version"], { cwd: folder });
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
});

test("its API can be imported by its name", async () => {
  const program = `
    import { findNetwork, openClassifier, summarize, trainClassifier } from "alexnet";
    console.log(summarize(findNetwork("alexnet-owt")).totals.parameters, typeof openClassifier, typeof trainClassifier);`;
  const { exit, stdout, stderr } = await run(["--input-type=module", "--eval", program], { cwd: folder });
  assert.equal(exit, 0, stderr);
  assert.equal(stdout, "61100840 function function\n");
});

test("its types are those of the API: a wrong use is the one error", async () => {
  const program = `
    import { findNetwork, summarize, trainClassifier, type TrainOptions } from "alexnet";
    const options: TrainOptions = { network: findNetwork("alexnet"), epochs: 1 };
    export const run: string = (await trainClassifier(options)).run;
    export const wrong: string = summarize(findNetwork("alexnet")).totals.parameters;`;
  await writeFile(join(folder, "consumer.mts"), program);
  const compiler = join(root, "node_modules/@typescript/native/bin/tsc");
  const options = "--noEmit --strict --target es2022 --module nodenext --types node consumer.mts".split(" ");
  const { stdout } = await run([compiler, ...options], { cwd: folder });
  const errors = stdout.split("\n").filter((line) => line.includes("error TS"));
  assert.equal(errors.length, 1, stdout);
  assert.match(
    errors[0] as string,
    /consumer\.mts\(5,\d+\): error TS2322: Type 'number' is not assignable to type 'string'/,
  );
});
