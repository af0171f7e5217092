/** The WebAssembly engine in a browser: on a page's thread, and with several threads in a worker of an isolated page. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { build } from "esbuild";
import { createWasmEngine } from "../src/engine/wasm/wasm.ts";
import { launchChromium, skippedWithoutChromium } from "./browser.ts";
import { isolation, serve } from "./localServer.ts";
import { root } from "./sourceFiles.ts";
import { trainedSum } from "./wasmStep.ts";

/** Runs the step in the page with one thread, and in a worker with two; the title says when it is done. */
const page = `<!doctype html><title>working</title><script type="module">
  import { createWasmEngine, trainedSum } from "./step.js";
  const results = {};
  results.page = await trainedSum(await createWasmEngine());
  results.refused = await createWasmEngine({ threads: 2 }).then(() => "", (error) => error.message);
  const worker = new Worker("./worker.js", { type: "module" });
  results.worker = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
  globalThis.results = results;
  document.title = "done";
</script>`;

const worker = `import { createWasmEngine, trainedSum } from "./step.js";
const engine = await createWasmEngine({ threads: 2 });
postMessage(await trainedSum(engine));`;

test("a step in Chromium gives the numbers of a step here, and the same bits on the page's thread and on two of a worker", {
  skip: skippedWithoutChromium(),
}, async () => {
  const { outputFiles } = await build({
    stdin: {
      contents:
        'export { createWasmEngine } from "./src/engine/wasm/wasm.ts"; export { trainedSum } from "./test/wasmStep.ts";',
      resolveDir: root,
    },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
  });
  const files: Readonly<Record<string, readonly [type: string, text: string]>> = {
    "/": ["text/html", page],
    "/step.js": ["text/javascript", outputFiles[0]?.text ?? ""],
    "/worker.js": ["text/javascript", worker],
  };
  const server = await serve((request, response) => {
    const [type, text] = files[request.url ?? ""] ?? ["text/plain", ""];
    response.writeHead(200, { ...isolation, "Content-Type": type }).end(text);
  });
  const browser = await launchChromium();
  try {
    const opened = await browser.newPage();
    const errors: string[] = [];
    opened.on("pageerror", (error) => errors.push(error.message));
    await opened.goto(`${server.url}/`);
    await opened.waitForFunction("document.title === 'done'");
    const results = (await opened.evaluate("globalThis.results")) as Readonly<Record<string, unknown>>;
    assert.deepEqual(errors, []);
    assert.match(String(results["refused"]), /^threads: expected 1, got 2: the page's main thread must not wait/);
    assert.deepEqual(results["worker"], results["page"]);
    const here = await trainedSum(await createWasmEngine({ threads: 1 }));
    // The browser may multiply and add in one instruction.
    assert.equal((results["page"] as number[]).length, here.length);
    for (const [i, value] of here.entries()) {
      assert.ok(Math.abs(((results["page"] as number[])[i] as number) - value) <= 1e-5 * Math.abs(value));
    }
  } finally {
    await browser.close();
    server.close();
  }
});
