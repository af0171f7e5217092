/**
 * A kind of layer, added for real: newLayer/leakyRelu.patch on a copy of the sources. It touches few files, the compiler lists them, and the kind
 * passes finite differences and conformance.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { skippedWithout } from "./command.ts";
import { root } from "./sourceFiles.ts";

const PATCH = "test/newLayer/leakyRelu.patch";
const patch = readFileSync(join(root, PATCH), "utf8");
/** The files that declare options; the compiler finds the rest from there. */
const START = "src/engine/engine.ts";

const REGENERATE =
  `the patch no longer fits the sources. In a clean checkout: git apply --reject ${PATCH}; mend by hand what the .rej files hold; ` +
  `git diff -U1 -- src docs test > /tmp/leakyRelu.patch; git checkout -- src docs test; git clean -f '*.rej'; mv /tmp/leakyRelu.patch ${PATCH}`;

/** It applies the patch. */
const skip = skippedWithout("git");

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "alexnet-newLayer-"));
  for (const name of ["src", "test", "scripts", "bench", "docs/layers.md", "package.json", "tsconfig.json"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a command in the copy: its exit code and everything it printed. */
function run(command: string, ...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  // The copy is no repository, whatever folder it lies in; and a test that a test starts reports for itself.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const env = { ...inherited, GIT_CEILING_DIRECTORIES: dirname(folder) };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env, encoding: "utf8" });
  return { status, output: stdout + stderr };
}

function apply(...options: readonly string[]): void {
  // Lines around a change may have been reworded; a change in the wrong place does not compile.
  const { status, output } = run("git", "apply", "-C0", ...options, join(root, PATCH));
  assert.equal(status, 0, `${REGENERATE}\n${output}`);
}

function typeCheck() {
  return run(join("node_modules", ".bin", "tsc"), "--noEmit", "--pretty", "false");
}

/** Runs the tests of a file whose names match, and requires `count` of them. */
function runTests(path: string, pattern: string, count: number): void {
  const options = ["--import", "tsx", "--test-reporter=tap", `--test-name-pattern=${pattern}`];
  const { status, output } = run(process.execPath, ...options, path);
  assert.equal(status, 0, `${path}\n${output}`);
  const passed = [...output.matchAll(/^ *ok \d+ - .*$/gm)].filter(([line]) => !/# SKIP/.test(line)).length;
  assert.ok(passed >= count, `${path}: expected at least ${count} tests of "${pattern}", got ${passed}\n${output}`);
}

test("a layer added touches at most 9 files of src/", () => {
  const touched = [...patch.matchAll(/^\+\+\+ b\/(src\/.*)$/gm)].map(([, path]) => path);
  assert.ok(touched.length >= 5 && touched.length <= 9, touched.join(", "));
});

test("once a kind has options, the compiler names every list that lacks it", { skip }, () => {
  apply(`--include=${START}`);
  const { status, output } = typeCheck();
  assert.notEqual(status, 0);
  const files = new Set([...output.matchAll(/^(\S+?)\(\d+,\d+\): error/gm)].map(([, path]) => path));
  assert.deepEqual(
    [...files].sort(),
    [
      "src/engine/onednn/ops/builders.ts",
      "src/engine/reference/operations.ts",
      "src/engine/wasm/ops/builders.ts",
      "src/engine/webgpu/ops/builders.ts",
      "src/layers/kinds.ts",
      "test/gradients.test.ts",
      "test/publicResults.ts",
    ],
    output,
  );
});

test("with the rest of the patch it compiles, and passes finite differences and conformance on every engine", {
  skip,
}, () => {
  apply(`--exclude=${START}`);
  const { status, output } = typeCheck();
  assert.equal(status, 0, `${REGENERATE}\n${output}`);
  runTests("test/publicNames.test.ts", "exports the values|every name", 2);
  runTests("src/layers/kinds.test.ts", "listed under their own names", 1);
  runTests("test/gradients.test.ts", "slope 0.2|every kind", 2);
  // Three on the reference engine, the WebAssembly engine, in f32 exact and in f32; three more with WebGPU, and where the processor has bf16.
  runTests("test/conformance/stacks.test.ts", "leaky", 12);
});
