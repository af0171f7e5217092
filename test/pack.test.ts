/** What `npm pack` makes is a package that works where its dependencies are installed. */
// Runs alone: it builds dist/ in the checkout.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { run } from "./command.ts";
import { root, withoutComments } from "./sourceFiles.ts";

const execute = promisify(execFile);
let folder: string;
let installed: string;
let files: readonly string[];

const { exports }: { exports: Record<string, string | { readonly types: string }> } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
);
/** The entry points of package.json. */
const entryPoints = Object.entries(exports).flatMap(([name, target]) =>
  typeof target === "string" ? [] : [{ name, declarations: target.types.slice("./".length) }],
);

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
    "dist/app/app.css",
    "dist/app/fashion-mnist.bin.gz",
    "dist/app/fashion-mnist.LICENSE",
    "README.md",
    "LICENSE",
  ]) {
    assert.ok(files.includes(path), path);
  }
  const others = files.filter(
    (path) =>
      !/^(bin\/alexnet\.js|dist\/app\/(app\.css|fashion-mnist\.(bin\.gz|LICENSE))|dist\/.*\.js|package\.json|README(\.zh-CN)?\.md|LICENSE|dist\/chunks\/zod\.LICENSE)$/.test(
        path,
      ),
  );
  assert.deepEqual(
    others.sort(),
    entryPoints.map(({ declarations }) => declarations).sort(),
    "one declaration file for each entry point, and no other",
  );
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

test("declarations: each name is exported, or another one needs it", async () => {
  for (const { declarations } of entryPoints) {
    const text = withoutComments(await readFile(join(installed, declarations), "utf8"));
    const declared = [
      ...text.matchAll(/^(?:declare )?(?:abstract )?(?:const|let|function|class|interface|type) ([\w$]+)/gm),
    ];
    assert.ok(declared.length > 5, declarations);
    const unused = declared
      .map(([, name = ""]) => name)
      .filter((name) => text.split(new RegExp(`(?<![\\w$])${name.replaceAll("$", "\\$")}(?![\\w$])`)).length < 3);
    assert.deepEqual(unused, [], declarations);
    assert.doesNotMatch(text, /from ['"](?!zod['"/])/, `${declarations}: no import but that of zod`);
  }
});

/** A program on every entry point, with one mistake: objects of one go to functions of another. */
const consumer = `
  import { findNetwork, summarize, trainClassifier, type TrainOptions } from "alexnet";
  import * as core from "alexnet/core";
  import * as formats from "alexnet/formats";
  import * as onednn from "alexnet/onednn";
  const network = core.withClasses(findNetwork("alexnet"), 10);
  export const options: TrainOptions = { network, epochs: 1 };
  export const run: string = (await trainClassifier(options)).run;
  export const engines: core.Engine[] = [core.createReferenceEngine(), onednn.createOneDnnEngine()];
  export const parameters: number = core.summarize((await formats.readOnnxFile("x.onnx")).network).totals.parameters;
  export const isOurs = (error: unknown): boolean => error instanceof core.DataError;
  export const wrong: string = summarize(network).totals.parameters;`;

/** A program for Node.js, and one for a bundler, which has the types of browsers alone. */
const [forNode, forBundler] = [
  "--module nodenext --types node",
  "--module esnext --moduleResolution bundler --lib es2023,dom",
];
const compilations = [
  ["@typescript/native/bin/tsc", forNode],
  ["@typescript/native/bin/tsc", forBundler],
  ["typescript/bin/tsc6", forBundler],
] as const;

for (const [compiler, project] of compilations)
  test(`its types under ${compiler} ${project}: a wrong use is the one error`, async () => {
    await writeFile(join(folder, "consumer.mts"), consumer);
    const options = `--noEmit --strict --skipLibCheck false --target es2023 ${project} consumer.mts`.split(" ");
    const { stdout } = await run([join(root, "node_modules", compiler), ...options], { cwd: folder });
    const errors = stdout.split("\n").filter((line) => line.includes("error TS"));
    assert.equal(errors.length, 1, stdout);
    assert.match(
      errors[0] as string,
      /consumer\.mts\(12,\d+\): error TS2322: Type 'number' is not assignable to type 'string'/,
    );
  });
