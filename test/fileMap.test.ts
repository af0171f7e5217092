/** CONTRIBUTING.md names every folder of src/, every file says what it is, and entry points re-export only. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { test } from "node:test";
import { platformPackages } from "../src/engine/onednn/native/libraryFolder.ts";
import { codeOnly, root, sourceFiles } from "./sourceFiles.ts";
import { entryPoints } from "./structureRules.ts";

test("CONTRIBUTING.md has a line for every folder of src/, and no other", () => {
  const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
  const mapped = [...text.matchAll(/^\| `(src\/[^`]*)\/` +\|/gm)].map(([, path = ""]) => path);
  const folders = new Set(sourceFiles("src").map(({ path }) => posix.dirname(path)));
  folders.delete("src");
  const missing = [...folders].filter((path) => !mapped.includes(path));
  const gone = mapped.filter((path) => !folders.has(path));
  assert.deepEqual(missing, [], "CONTRIBUTING.md: the table of folders lacks these");
  assert.deepEqual(gone, [], "CONTRIBUTING.md: the table has folders that do not exist");
});

test("CONTRIBUTING.md is a guide that can be read at once, and every file that it and docs/extending.md name exists", () => {
  const guide = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
  assert.ok(Buffer.byteLength(guide) < 15_000, `${Buffer.byteLength(guide)} bytes`);
  const text = guide + readFileSync(join(root, "docs/extending.md"), "utf8");
  const named = [...text.matchAll(/`((?:src|test|scripts|docs)\/[^`*…<]+)`|node --import tsx (scripts\/[^ `]+)/g)];
  const paths = named.map(([, path, script]) => path ?? script ?? "");
  assert.ok(paths.length > 40);
  assert.deepEqual(
    paths.filter((path) => !existsSync(join(root, path))),
    [],
  );
});

test("docs/packages.md gives a reason for every package of package.json", () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const page = readFileSync(join(root, "docs/packages.md"), "utf8");
  const names = Object.keys({ ...dependencies, ...devDependencies }).filter((name) => !name.startsWith("@types/"));
  assert.deepEqual(
    names.filter((name) => !page.includes(`[${name.replace("@biomejs/", "")}](`)),
    [],
  );
});

test("a platform package is named by its platform, runs no script, and is no dependency before it is published", () => {
  const { optionalDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.equal(optionalDependencies, undefined);
  for (const folder of readdirSync(join(root, "packages"))) {
    const manifest = JSON.parse(readFileSync(join(root, "packages", folder, "package.json"), "utf8"));
    const { name, os, cpu, scripts, files } = manifest;
    assert.equal(name, `alexnet-${folder}`);
    assert.ok(platformPackages(os[0], cpu[0]).includes(name), name);
    assert.deepEqual([os.length, cpu.length, scripts, files], [1, 1, undefined, ["lib", "licenses"]]);
  }
});

test("every source file begins with a sentence that says what it is", () => {
  const silent = sourceFiles("src", "scripts", "test", "bench", "bin")
    .filter(({ path }) => /\.(ts|mjs|js)$/.test(path) && !/^src\/.*\.test\.ts$/.test(path))
    .filter(({ text }) => !/^(?:#!.*\n)?\/\*\*/.test(text))
    .map(({ path }) => path);
  assert.deepEqual(silent, [], "these need a doc comment on top, one sentence that says what the file is");
});

for (const entry of entryPoints) {
  test(`src/${entry} consists of named re-exports, and every value it names is there`, async () => {
    const path = join(root, "src", entry);
    const text = readFileSync(path, "utf8");
    const reExport = /^export (type )?\{([^}]*)\} from "[^"]+";$/gm;
    const rest = codeOnly(text.replace(reExport, "")).trim();
    assert.equal(
      rest,
      "",
      `src/${entry}: only \`export { … } from\` is expected; move the rest to the file it belongs to`,
    );
    const exported: Record<string, unknown> = await import(`../src/${entry}`);
    const named = [...text.matchAll(reExport)].flatMap(([, ofTypes, names = ""]) =>
      ofTypes ? [] : names.split(",").map((name) => name.trim()),
    );
    const values = named
      .filter((name) => name !== "" && !name.startsWith("type "))
      .map((name) => name.split(" as ").at(-1));
    assert.deepEqual([...values].sort(), Object.keys(exported).sort());
  });
}
