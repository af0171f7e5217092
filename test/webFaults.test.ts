/** Faults that the browser app meets: large images, unreadable networks, missing images, a worker that ends, full or refused storage, a frozen tab. */
// Runs beside others: it counts the drawings in the time that they took, and a busy page draws less.
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { build } from "esbuild";
import type { FrameLocator, Page } from "playwright-core";
import { encodePng } from "../src/image/files/decode.ts";
import { readModel, writeModel } from "../src/model/modelFile.ts";
import { skippedWithoutChromium } from "./browser.ts";
import { addTwoClasses, chooser, type HostedApp, hostApp, newClass, probabilitiesOf, wide } from "./hostedApp.ts";
import { serve } from "./localServer.ts";
import { noise } from "./packPictures.ts";

let app: HostedApp;
let folder: string;

describe("faults of the browser app", { skip: skippedWithoutChromium() }, () => {
  before(async () => {
    app = await hostApp();
    ({ folder } = app);
  });
  after(() => app?.close());

  it("reads an image that is wider than a canvas", async () => {
    const { page, problems } = await app.open();
    await page.locator(".status", { hasText: "parameters" }).waitFor();
    const wideImage = join(folder, "wide.png");
    await writeFile(wideImage, await encodePng(noise(2, 70_000, 12, 3)));
    await page.setInputFiles(chooser, wideImage);
    await page.locator(".classes tbody tr").nth(4).waitFor();
    assert.deepEqual(await probabilitiesOf(page), await app.rowsOf(join(folder, "colour.safetensors"), wideImage));
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("shows no prediction of the last network once another is chosen", async () => {
    const { page, problems } = await app.open();
    await page.locator(".status", { hasText: "parameters" }).waitFor();
    await page.setInputFiles(chooser, join(folder, "noise.png"));
    await page.locator(".classes tbody tr").nth(4).waitFor();
    const broken = { name: "broken.safetensors", mimeType: "", buffer: Buffer.from("no weights") };
    await page.locator('input[accept=".safetensors"]').setInputFiles(broken);
    await page.locator(".problem", { hasText: "broken.safetensors cannot be opened" }).waitFor();
    assert.equal(await page.locator(".classes").count(), 0);
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("names a class without images, files that are skipped, and an end of the computation", async () => {
    const { page } = await app.open(wide, `${app.url}/#train`);
    await page.getByRole("button", { name: "Use the Fashion-MNIST sample" }).click();
    await page.getByText("Ankle boot").first().waitFor();
    await newClass(page, "own");
    await page.getByRole("button", { name: "Create the run" }).click();
    await page.locator(".problem", { hasText: "expected at least 2 classes, got 1" }).waitFor();
    await newClass(page, "other");
    await page.getByRole("button", { name: "Create the run" }).click();
    await page.locator(".problem", { hasText: "own: expected at least 2 images, got 0" }).waitFor();
    const [text, large] = [join(folder, "text.png"), join(folder, "large.png")];
    await writeFile(large, await encodePng({ width: 9000, height: 6000, channels: 1, data: new Uint8Array(54e6) }));
    const card = page.locator(".card").filter({ has: page.getByRole("heading", { name: "own", exact: true }) });
    await card.locator('input[type="file"]').setInputFiles([text, large]);
    await page.locator(".problem", { hasText: "2 files were skipped. The first: text.png: not an image" }).waitFor();
    await card.locator('input[type="file"]').setInputFiles(large);
    await page.locator(".problem", { hasText: "large.png: 9,000 × 6,000 pixels, expected at most 50" }).waitFor();
    for (const name of ["own", "other"]) await page.getByRole("button", { name: `Remove ${name}` }).click();
    await addTwoClasses(page);
    await createRun(page, 500);
    await page.getByRole("button", { name: "One step" }).click();
    await page.getByText("Saved in this browser").waitFor();
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText(/^Training$/).waitFor();
    // The page ends a worker before it can answer.
    for (const worker of page.workers()) {
      await worker.evaluate(() => void setTimeout(() => reportError(new Error("out of memory")))).catch(() => {});
    }
    await page.locator('section [role="status"]', { hasText: /Stopped: .*memory/ }).waitFor();
    await page.locator(".problem", { hasText: "Reload the page" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Start" }).isDisabled(), true);
    await page.reload();
    await page.getByRole("button", { name: "Open the saved run" }).click();
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText(/^Training$/).waitFor();
    await page.context().close();
  });

  it("begins with no unreadable weights file, and keeps the open run", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#train`);
    await addTwoClasses(page);
    await createRun(page, 3);
    await page.getByText("0.00 / 3").waitFor();
    const [cut, text] = [join(folder, "cut.safetensors"), join(folder, "text.safetensors")];
    const whole = await readFile(join(folder, "colour.safetensors"));
    await writeFile(cut, whole.subarray(0, whole.length - 1000));
    await writeFile(text, "no weights");
    for (const file of [cut, text]) {
      await createRun(page, 5, file);
      await page.locator(".problem", { hasText: basename(file) }).waitFor();
    }
    await page.getByRole("button", { name: "Start" }).click();
    await page.locator('section [role="status"]', { hasText: "Finished" }).waitFor({ timeout: 120_000 });
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("continues a run once a frozen tab is shown again", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#train`);
    await addTwoClasses(page);
    await createRun(page, 200);
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText(/^Training$/).waitFor();
    const session = await page.context().newCDPSession(page);
    await session.send("Page.setWebLifecycleState", { state: "frozen" });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await session.send("Page.setWebLifecycleState", { state: "active" });
    await page.locator('section [role="status"]', { hasText: "Finished" }).waitFor({ timeout: 120_000 });
    await page.getByText("200.00 / 200").waitFor();
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("draws hundreds of short epochs a few times a second", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#train`);
    await addTwoClasses(page);
    await createRun(page, 300);
    await page.getByText("0.00 / 300").waitFor();
    const drawings = await page.evaluateHandle(() => {
      const times: number[] = [];
      let last: Element | null = null;
      new MutationObserver(() => {
        const matrix = document.querySelector(".matrix");
        if (matrix !== last) times.push(performance.now());
        last = matrix;
      }).observe(document.body, { childList: true, subtree: true });
      return times;
    });
    await page.getByRole("button", { name: "Start" }).click();
    await page.locator('section [role="status"]', { hasText: "Finished" }).waitFor({ timeout: 120_000 });
    const times = await drawings.jsonValue();
    const [first = 0, last = first] = [times[0], times.at(-1)];
    // Every 400 ms, and once more at the end.
    assert.ok(times.length >= 1 && times.length <= 2 + (last - first) / 400, `${times.length} in ${last - first} ms`);
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("saves a run when its tab is hidden", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#train`);
    await page.getByRole("button", { name: "Use the Fashion-MNIST sample" }).click();
    await page.getByText("Ankle boot").first().waitFor();
    await page.getByRole("button", { name: "Create the run" }).click();
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText(/^0\.0[1-9] \/ 10$/).waitFor();
    // Headless tabs are never hidden.
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true });
      document.dispatchEvent(new Event("visibilitychange"));
    });
    // Without it, the first save comes after 20 seconds.
    await page.getByText("Saved in this browser").waitFor({ timeout: 15_000 });
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("trains where storage and service workers are refused, and says so", async (t) => {
    // A page without an origin.
    const frame = `<iframe sandbox="allow-scripts allow-forms" style="width: 1200px; height: 780px" src="${app.url}/#train"></iframe>`;
    const host = await serve((_request, response) => {
      response.writeHead(200, { "Content-Type": "text/html" }).end(frame);
    });
    t.after(() => host.close());
    const { page } = await app.open(wide, `${host.url}/`);
    const inside = page.frameLocator("iframe");
    await addTwoClasses(inside);
    await createRun(inside, 2);
    await inside.getByRole("button", { name: "Start" }).click();
    await inside.locator('section [role="status"]', { hasText: "Finished" }).waitFor({ timeout: 120_000 });
    await inside.getByText(/It cannot be saved in this browser \(/).waitFor();
    await inside.getByText("Without a network, this page cannot be loaded again").waitFor();
    await page.context().close();
  });

  it("begins with the preprocessing of a weights file, and with its last layer only for the same classes", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#train`);
    await addTwoClasses(page);
    const begin = async (file: string) => {
      await createRun(page, 3, file);
      await page.getByText("Creating the run").waitFor({ state: "detached" });
      const button = page.getByRole("button", { name: "Download weights (.safetensors)" });
      const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
      const path = join(folder, "begun.safetensors");
      await download.saveAs(path);
      return readModel(path);
    };
    const colour = await readModel(join(folder, "colour.safetensors"));
    const first = await begin(join(folder, "colour.safetensors"));
    assert.deepEqual(first.preprocessing, colour.preprocessing);
    assert.deepEqual(first.weights.get("conv1.weight"), colour.weights.get("conv1.weight"));
    const changed = new Map([...first.weights].map(([name, values]) => [name, values.map((value) => value + 1)]));
    for (const classNames of [first.classNames, ["one", "other"]]) {
      const file = join(folder, "changed.safetensors");
      await writeModel(file, { ...first, classNames, weights: changed });
      const { weights } = await begin(file);
      assert.deepEqual(weights.get("conv1.weight"), changed.get("conv1.weight"));
      const isKept = isDeepStrictEqual(weights.get("fc3.weight"), changed.get("fc3.weight"));
      assert.equal(isKept, classNames === first.classNames);
    }
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("offers the saved run with its own settings while a new one has not been saved", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#train`);
    await addTwoClasses(page);
    await createRun(page, 500);
    await page.getByRole("button", { name: "One step" }).click();
    await page.getByText("Saved in this browser").waitFor();
    await page.getByRole("button", { name: "Start" }).click();
    await page.getByText(/^Training$/).waitFor();
    await createRun(page, 3);
    await page.getByText("0.00 / 3").waitFor();
    assert.equal(await page.getByText("Saved in this browser").count(), 0);
    await page.reload();
    await page.getByRole("button", { name: "Open the saved run" }).click();
    await page.getByText(/ \/ 500$/).waitFor();
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("draws a run of 200,000 iterations, more than the arguments of one call, with ticks that are not rounded", async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL("../src/web/chart.ts", import.meta.url))],
      ...{ bundle: true, write: false, format: "iife", globalName: "chart" },
    });
    const { page } = await app.open(wide, "about:blank");
    const points = `Array.from({ length: 200000 }, (_, i) => [i + 1, i % 2 === 0 ? NaN : 1.5])`;
    const options = `{ title: "Loss", lines: [{ name: "training", style: "train", points: ${points} }] }`;
    const drawn = await page.evaluate<string>(`${outputFiles[0]?.text}; chart.drawLines(${options}).outerHTML`);
    assert.match(drawn, />200,000</);
    assert.match(drawn, /training: 1\.500/);
    const ticks = [...drawn.matchAll(/text-anchor="end">([\d.]+)</g)].map(([, tick]) => tick);
    assert.deepEqual(ticks, ["0.0", "0.5", "1.0", "1.5", "2.0"]);
    await page.context().close();
  });

  it("says that storage is full, and not that a run is saved", async () => {
    const { page } = await app.open(wide, `${app.url}/#train`);
    await addTwoClasses(page);
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: app.url, quotaSize: 1000 });
    await createRun(page, 3);
    await page.getByRole("button", { name: "One step" }).click();
    await page.getByText(/It cannot be saved in this browser \(QuotaExceededError/).waitFor();
    await page.getByRole("button", { name: "Start" }).click();
    await page.locator('section [role="status"]', { hasText: "Finished" }).waitFor({ timeout: 120_000 });
    await page.getByText(/It cannot be saved in this browser/).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "Create the run" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Open the saved run" }).count(), 0);
    await page.context().close();
  });
});

/** Creates a run that begins with a weights file. */
async function createRun(
  page: Page | FrameLocator,
  epochs: number,
  file = join(folder, "colour.safetensors"),
): Promise<void> {
  await page.locator('input[accept=".safetensors"]').setInputFiles(file);
  await page.getByLabel("Epochs").fill(String(epochs));
  await page.getByLabel("Epochs").press("Enter");
  await page.getByRole("button", { name: "Create the run" }).click();
}
