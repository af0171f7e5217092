/** The examples print what is expected of them, in the package as an installation has it, and docs/library.md shows their code. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { transform } from "esbuild";
import { exportModel } from "../src/exchange/exportModel.ts";
import { trainClassifier } from "../src/index.ts";
import { builtCommand, run } from "./command.ts";
import { root } from "./sourceFiles.ts";
import { tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";

const page = readFileSync(join(root, "docs/library.md"), "utf8");
const names = readdirSync(join(root, "examples")).filter((name) => name.endsWith(".ts"));
let folder: string;
let trained: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "alexnet-examples-"));
  trained = join(folder, "run");
  await writeTinyDataset(folder, { train: 60, test: 20 });
  const settings = { network: tinyNetwork, epochs: 1, batchSize: 10, threads: 1, precision: "f32" } as const;
  await trainClassifier({ ...settings, dataDir: folder, run: trained });
  await mkdir(join(folder, "node_modules"));
  await symlink(dirname(dirname(await builtCommand())), join(folder, "node_modules/alexnet"));
});
after(() => rm(folder, { recursive: true }));

/** Runs an example as JavaScript beside an installed package. */
async function outputOf(name: string, ...args: readonly string[]): Promise<readonly string[]> {
  const { code } = await transform(readFileSync(join(root, "examples", `${name}.ts`), "utf8"), { loader: "ts" });
  await writeFile(join(folder, `${name}.mjs`), code);
  const { exit, stdout, stderr } = await run([join(folder, `${name}.mjs`), ...args], { cwd: root });
  assert.equal(exit, 0, stderr);
  return stdout.trimEnd().split("\n");
}

test("docs/library.md shows every example, each as its file has it", () => {
  const shown = [...page.matchAll(/^\[examples\/(\w+\.ts)\]\(.*\)\n\n```ts\n([\s\S]*?)```$/gm)];
  assert.deepEqual(shown.map(([, name]) => name).sort(), names.toSorted());
  for (const [, name = "", code] of shown) {
    assert.equal(code, readFileSync(join(root, "examples", name), "utf8"), `docs/library.md: ${name}`);
  }
});

test("a network trained on arrays", async () => {
  assert.deepEqual(await outputOf("trainOnArrays"), ["validation accuracy 1", "first image: horizontal"]);
});

test("an async iterable, followed and stopped", async () => {
  assert.deepEqual(await outputOf("trainOnIterable"), ["epoch 1: accuracy 1", "interrupt after 1 epochs"]);
});

test("a data set of one's own in a run directory", async () => {
  assert.deepEqual(await outputOf("ownDataset"), ["best epoch 4: accuracy 1", "evaluated 30 images, 3 classes"]);
});

test("a prediction from path, bytes, Blob and pixels", async () => {
  const lines = await outputOf("predictImages", trained, "test/golden/raccoon.jpg");
  assert.deepEqual(
    lines.map((line) => line.split(": ")[0]),
    ["path", "bytes", "blob", "pixels"],
  );
  assert.equal(new Set(lines.map((line) => line.split(": ")[1])).size, 1, lines.join("\n"));
});

test("an evaluation as data", async () => {
  const lines = await outputOf("evaluate", trained, "fashion-mnist");
  assert.equal(lines.filter((line) => /^.+: \d+ images, precision [\d.–]+, recall [\d.–]+$/.test(line)).length, 10);
  const confusion = lines.slice(-10).map((line) => line.split(" ").map(Number));
  assert.equal(
    confusion.flat().reduce((sum, count) => sum + count),
    20,
  );
  const right = confusion.reduce((sum, row, c) => sum + (row[c] ?? Number.NaN), 0);
  assert.ok(
    lines.some((line) => line.startsWith(`accuracy ${right / 20}, loss `)),
    lines.join("\n"),
  );
});

test("an ONNX model and a PyTorch state dict, with the same answer", async () => {
  const [onnx, pth] = [join(folder, "model.onnx"), join(folder, "weights.pth")];
  await exportModel(trained, onnx);
  await exportModel(trained, pth);
  const [first = "", second = ""] = await outputOf("readModels", onnx, pth);
  assert.match(first, /^onnx: .+ \d\.\d{4}$/);
  assert.equal(second.replace("pytorch: ", ""), first.replace("onnx: ", ""));
});

test("CommonJS can require every entry point", async () => {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const canRequire = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
  const names = [
    "findNetwork",
    "trainNetwork",
    "readModelBytes",
    "createOneDnnEngine",
    "createWasmEngine",
    "createWebGpuEngine",
    "readModel",
  ];
  const entries = [
    "alexnet",
    "alexnet/core",
    "alexnet/browser",
    "alexnet/onednn",
    "alexnet/wasm",
    "alexnet/webgpu",
    "alexnet/formats",
  ];
  const program = entries.map((entry, i) => `console.log(typeof require("${entry}").${names[i]});`).join("\n");
  await writeFile(join(folder, "program.cjs"), program);
  const { exit, stdout, stderr } = await run([join(folder, "program.cjs")], { cwd: folder });
  if (canRequire) assert.deepEqual([exit, stdout], [0, "function\n".repeat(entries.length)], stderr);
  // The message of Node.js itself says what to do.
  else assert.match(stderr, /require\(\) of ES Module .* not supported[\s\S]*dynamic import\(\)/);
});
