/** The choice of what computes in the browser app, on Chromium's software adapter: WebGPU by choice, the same numbers, and a graphics process that ends. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { writeWebFile } from "../src/exchange/writeWeb.ts";
import { skippedWithoutChromium } from "./browser.ts";
import { addTwoClasses, chooser, type HostedApp, hostApp, wide } from "./hostedApp.ts";

const ADAPTER = "WebGPU 1 (google swiftshader, a software adapter). This adapter computes on the processor";

let app: HostedApp;

describe("what computes in the browser app", { skip: skippedWithoutChromium() }, () => {
  before(async () => {
    app = await hostApp(["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]);
  });
  after(() => app?.close());

  it("is WebGPU if the reader chooses a software adapter, and WebAssembly once the adapter fails", async () => {
    const { page, problems } = await app.open();
    const computation = page.getByLabel("Computation");
    await page.getByText(/^WebAssembly 1 \([^)]*\), 1 thread$/).waitFor();
    assert.deepEqual(await computation.locator("option").allInnerTexts(), [
      "automatic",
      "WebGPU: google swiftshader, a software adapter",
      "WebAssembly",
    ]);
    await page.setInputFiles(chooser, app.image);
    const expected = await answerOf(page);
    await computation.selectOption("webgpu");
    await page.getByText(ADAPTER).waitFor();
    assertClose(await answerOf(page), expected);
    for (const overlay of ["activation", "saliency"]) {
      await page.getByLabel("Show over the image").selectOption(overlay);
      await page.locator(".overlay canvas").waitFor();
    }

    await page.reload();
    await page.getByText(ADAPTER).waitFor();
    assert.equal(await computation.inputValue(), "webgpu");
    await page.locator('nav a[href="#train"]').click();
    await addTwoClasses(page);
    await page.locator('input[accept=".safetensors"]').setInputFiles(join(app.folder, "colour.safetensors"));
    await page.getByLabel("Epochs").fill("1000");
    await page.getByLabel("Epochs").press("Enter");
    await page.getByRole("button", { name: "Create the run" }).click();
    await page.locator("section .hint", { hasText: ADAPTER }).waitFor();
    const [start, state] = [page.getByRole("button", { name: "Start" }), page.locator('section [role="status"]')];
    await start.click();
    await page.locator(".matrix").waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await state.filter({ hasText: "Paused" }).waitFor();
    await page.getByText("Saved in this browser").waitFor();
    const iterations = Number(await page.locator(".figures dd").first().innerText());
    await start.click();
    await state.filter({ hasText: /^Training$/ }).waitFor();

    const session = await app.browser.newBrowserCDPSession();
    await session.send("Browser.crashGpuProcess");
    await state.filter({ hasText: /^Stopped: engine webgpu: google swiftshader: device lost \([^;]*\)$/ }).waitFor();
    await page.locator(".problem", { hasText: "Open the saved run at the top of this page" }).waitFor();
    await page.locator('nav a[href="#try"]').click();
    await page.setInputFiles(chooser, app.image);
    await page.getByText(/^WebAssembly 1 .* WebGPU is not used: engine webgpu: .*device lost/).waitFor();
    assertClose(await answerOf(page), expected);

    await computation.selectOption("wasm");
    await page.getByText(/^WebAssembly 1 \([^)]*\), 1 thread$/).waitFor();
    await page.locator('nav a[href="#train"]').click();
    await page.getByRole("button", { name: "Open the saved run" }).click();
    await page.locator("section .hint", { hasText: /WebAssembly 1 \([^)]*\), \d+ threads?$/ }).waitFor();
    const figure = page.locator(".figures dd").first();
    assert.ok(Number(await figure.innerText()) >= iterations);
    await page.getByRole("button", { name: "One step" }).click();
    await state.filter({ hasText: "Paused" }).waitFor();
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("is WebGPU in a single file on the disk too", async () => {
    const file = join(app.folder, "one.html");
    await writeWebFile(join(app.folder, "colour.safetensors"), file);
    const { page, problems } = await app.open(wide, pathToFileURL(file).href);
    await page.setInputFiles(chooser, app.image);
    const expected = await answerOf(page);
    await page.getByLabel("Computation").selectOption("webgpu");
    await page.getByText(ADAPTER).waitFor();
    assertClose(await answerOf(page), expected);
    assert.deepEqual(problems(), []);
    await page.context().close();
  });
});

/** Classes with their probabilities, the most probable first. */
async function answerOf(page: Page): Promise<ReadonlyMap<string, number>> {
  await page.locator(".status", { hasText: / ms$/ }).waitFor();
  const rows = page.locator(".classes tbody tr");
  await rows.nth(4).waitFor();
  const answer = await rows.evaluateAll((all) =>
    all.map((row) => {
      const width = row.querySelector<HTMLElement>(".bar")?.style.width ?? "";
      return [row.querySelector("th")?.textContent ?? "", Number.parseFloat(width) / 100] as const;
    }),
  );
  return new Map(answer);
}

function assertClose(actual: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>): void {
  assert.deepEqual([...actual.keys()], [...expected.keys()]);
  // Sums are in another order.
  for (const [name, value] of actual) assert.ok(Math.abs(value - (expected.get(name) ?? 0)) <= 1e-4, name);
}
