/** The file map of CONTRIBUTING.md and the public API in src/index.ts are what they say. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { codeOnly, root, sourceFiles } from "./sourceFiles.ts";

const mapLine = /^- `((?:src|scripts|test|bench|bin)\/[^`]+)`: \S.*$/gm;
const publicApi = join(root, "src/index.ts");

test("CONTRIBUTING.md's file map has one line for every file, and no other", () => {
  const mapped = [...readFileSync(join(root, "CONTRIBUTING.md"), "utf8").matchAll(mapLine)].map(
    ([, path = ""]) => path,
  );
  const files = sourceFiles("src", "scripts", "test", "bench", "bin").map(({ path }) => path);
  // Tests under src/ are not listed: each stands beside what it tests.
  const listed = files.filter((path) => !/^src\/.*\.test\.ts$/.test(path));
  assert.deepEqual(mapped, [...new Set(mapped)], "CONTRIBUTING.md: a file is listed twice; remove one of its lines");
  const missing = listed.filter((path) => !mapped.includes(path)).map((path) => `- \`${path}\`: `);
  assert.deepEqual(
    missing,
    [],
    "CONTRIBUTING.md: the file map lacks these lines; add them and say what each file is for",
  );
  const gone = mapped.filter((path) => !listed.includes(path));
  assert.deepEqual(gone, [], "CONTRIBUTING.md: the file map has lines for files that are not there; remove the lines");
});

test("src/index.ts consists of named re-exports, and every value it names is there", async () => {
  const text = readFileSync(publicApi, "utf8");
  const reExport = /^export (type )?\{([^}]*)\} from "[^"]+";$/gm;
  const rest = codeOnly(text.replace(reExport, "")).trim();
  assert.equal(
    rest,
    "",
    "src/index.ts: holds something other than `export { … } from`; move it to the file it belongs to",
  );
  const exported: Record<string, unknown> = await import(pathToFileURL(publicApi).href);
  const named = [...text.matchAll(reExport)].flatMap(([, ofTypes, names = ""]) =>
    ofTypes ? [] : names.split(",").map((name) => name.trim()),
  );
  const values = named
    .filter((name) => name !== "" && !name.startsWith("type "))
    .map((name) => name.split(" as ").at(-1));
  assert.deepEqual([...values].sort(), Object.keys(exported).sort());
});
