/** The bundle of alexnet/core for a browser: nothing of Node.js in it, small enough, and it trains. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createContext, runInContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { type BuildOptions, build } from "esbuild";
import { launchChromium, skippedWithoutChromium } from "./browser.ts";
import { root } from "./sourceFiles.ts";

/** All of the entry point, as `import * as core` would keep it. */
const BUDGET_BYTES = 71_000;

const options = {
  absWorkingDir: root,
  bundle: true,
  platform: "browser",
  target: "es2023",
  minify: true,
  write: false,
  metafile: true,
  logLevel: "silent",
} as const satisfies BuildOptions;

async function bundle(own: BuildOptions): Promise<{ readonly text: string; readonly inputs: readonly string[] }> {
  const { outputFiles, metafile } = await build({ ...options, ...own, write: false, metafile: true });
  const external = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  assert.deepEqual(external, [], "left to be resolved");
  return { text: outputFiles[0]?.text ?? "", inputs: Object.keys(metafile.inputs) };
}

test("alexnet/core bundles for a browser, without Node.js, within its budget", async (t) => {
  const { text, inputs } = await bundle({ entryPoints: ["src/core.ts"], format: "esm" });
  assert.ok(inputs.includes("src/training/train.ts"));
  const bytes = gzipSync(text, { level: 9 }).length;
  t.diagnostic(`${text.length} bytes minified, ${bytes} gzipped`);
  assert.ok(bytes <= BUDGET_BYTES, `${bytes} bytes gzipped, expected at most ${BUDGET_BYTES}`);
});

test("alexnet/browser bundles for a browser, without Node.js", async () => {
  const { text, inputs } = await bundle({ entryPoints: ["src/browser.ts"], format: "esm" });
  assert.ok(inputs.includes("src/engine/wasm/wasm.ts"));
  assert.doesNotMatch(text, /\bBuffer\b/);
});

/** Globals that a page has, too; not `process`, `Buffer`, `require` or `setImmediate`. */
const webGlobals = { performance, MessageChannel, AbortController, DOMException, atob, btoa, structuredClone };

const program = `(async () => {
  const { conv2d, createClassifier, createReferenceEngine, flatten, fromArrays, linear, parseNetwork, trainNetwork } = core;
  const labels = Array.from({ length: 40 }, (_, n) => n % 2);
  const images = Float32Array.from({ length: 40 * 16 }, (_, i) => (((i >> 4) % 2 ? i : i >> 2) & 1 ? 0.9 : 0.1));
  const dataset = fromArrays(images, labels, { width: 4, height: 4 });
  const layers = [conv2d("conv1", { outChannels: 3, kernelSize: 3 }), flatten("flatten"), linear("fc2", { outFeatures: 2 })];
  const network = parseNetwork({ name: "tiny", input: [1, 4, 4], layers });
  const engine = createReferenceEngine();
  const options = { network, dataset, engine, epochs: 5, batchSize: 8, learningRate: 0.1, normalization: "mean-image" };
  const { model, evaluation, end } = await trainNetwork({ ...options, augmentation: { jitter: { brightness: 0.01, contrast: 0.01, saturation: 0, hue: 0 } } });
  const classifier = await createClassifier(model, { engine });
  const [best] = await classifier.predict(dataset.test.image(0));
  let message = "";
  try {
    parseNetwork({ name: "bad", input: [1, 4], layers: [] }, "bad.json");
  } catch (error) {
    message = error.name + ": " + error.message;
  }
  return JSON.stringify({ end, accuracy: evaluation.top1Accuracy, predicted: best.className, label: String(dataset.test.label(0)), message });
})()`;

test("the bundle trains, predicts and explains errors where only a page's globals are", async () => {
  const stdin = { contents: 'import * as core from "./src/core.ts"; globalThis.core = core;', resolveDir: root };
  const { text } = await bundle({ stdin, format: "iife" });
  const context = createContext({ ...webGlobals });
  runInContext(text, context);
  const result = JSON.parse(await (runInContext(program, context) as Promise<string>));
  assert.equal(result.end, "finished");
  assert.equal(result.accuracy, 1);
  assert.equal(result.predicted, result.label);
  assert.match(result.message, /^ConfigError: bad\.json: input: expected array of at least 3 items/);
});

test("an example trains in Chromium", { skip: skippedWithoutChromium() }, async () => {
  const { text } = await bundle({
    entryPoints: [join("examples", "trainOnArrays.ts")],
    alias: { "alexnet/core": join(root, "src/core.ts") },
    format: "esm",
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const lines: string[] = [];
    const done = new Promise<void>((resolve, reject) => {
      page.on("console", (message) => {
        lines.push(message.text());
        if (message.text().startsWith("first image")) resolve();
      });
      page.on("pageerror", reject);
    });
    await page.setContent(`<script type="module">${text.replaceAll("</script", "<\\/script")}</script>`);
    await done;
    assert.deepEqual(lines, ["validation accuracy 1", "first image: horizontal"]);
  } finally {
    await browser.close();
  }
});
