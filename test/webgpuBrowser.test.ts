/** The WebGPU engine in a browser: small enough, and its numbers those of the reference engine. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { assertCloseNorm } from "./assertClose.ts";
import { launchChromium, skippedWithoutChromium } from "./browser.ts";
import { serve } from "./localServer.ts";
import { root } from "./sourceFiles.ts";
import { comparedStacks, stepsOn } from "./webgpuStep.ts";

const BUDGET_BYTES = 20_000;

const options = { bundle: true, write: false, format: "esm", platform: "browser" } as const;

test("the engine's bundle has no module of Node.js or a package, within its budget", async (t) => {
  const entryPoints = ["src/webgpu.ts"];
  const { outputFiles, metafile } = await build({
    ...options,
    entryPoints,
    absWorkingDir: root,
    minify: true,
    metafile: true,
  });
  const inputs = Object.keys(metafile.inputs);
  assert.deepEqual(
    inputs.filter((path) => !path.startsWith("src/")),
    [],
  );
  const bytes = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
  t.diagnostic(`${bytes} bytes gzipped`);
  assert.ok(bytes > 5000 && bytes <= BUDGET_BYTES, `${bytes} bytes gzipped, expected at most ${BUDGET_BYTES}`);
});

const page = `<!doctype html><title>working</title><script type="module">
  import { createWebGpuEngine, stepsOn } from "./step.js";
  try {
    const engine = await createWebGpuEngine(navigator.gpu);
    globalThis.results = { description: engine.description, steps: await stepsOn(engine) };
  } catch (error) {
    globalThis.results = { description: String(error), steps: {} };
  }
  document.title = "done";
</script>`;

test("three chains in Chromium, on its software adapter, are within 3e-6 of the reference engine", {
  skip: skippedWithoutChromium(),
}, async () => {
  const contents =
    'export { createWebGpuEngine } from "./src/webgpu.ts"; export { stepsOn } from "./test/webgpuStep.ts";';
  const { outputFiles } = await build({ ...options, stdin: { contents, resolveDir: root } });
  const server = await serve((request, response) => {
    const isScript = request.url === "/step.js";
    response
      .writeHead(200, { "Content-Type": isScript ? "text/javascript" : "text/html" })
      .end(isScript ? outputFiles[0]?.text : page);
  });
  const browser = await launchChromium(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
  try {
    const opened = await browser.newPage();
    await opened.goto(`${server.url}/`);
    await opened.waitForFunction("document.title === 'done'", undefined, { timeout: 150_000 });
    const { description, steps } = (await opened.evaluate("globalThis.results")) as {
      readonly description: string;
      readonly steps: Awaited<ReturnType<typeof stepsOn>>;
    };
    assert.match(description, /^WebGPU .*, a software adapter\)$/);
    const expected = await stepsOn(createReferenceEngine());
    for (const name of comparedStacks) {
      const actual = steps[name] ?? {};
      assert.deepEqual(Object.keys(actual), Object.keys(expected[name] ?? {}));
      for (const [key, values] of Object.entries(expected[name] ?? {})) {
        assertCloseNorm(actual[key] ?? [], values, 3e-6, `${name}: ${key}`);
      }
    }
  } finally {
    await browser.close();
    server.close();
  }
});
