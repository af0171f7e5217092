/** The browser app in Chromium, used as people use it: classify, explain, train, resume after a reload, download; from a host and from the disk. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { importModel } from "../src/exchange/importModel.ts";
import { writeWebFile } from "../src/exchange/writeWeb.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { skippedWithoutChromium } from "./browser.ts";
import { addTwoClasses, chooser, type HostedApp, hostApp, probabilitiesOf, wide } from "./hostedApp.ts";

let app: HostedApp;
let folder: string;
let image: string;

describe("the browser app", { skip: skippedWithoutChromium() }, () => {
  before(async () => {
    app = await hostApp();
    ({ folder, image } = app);
  });
  after(() => app?.close());

  it("has less than 250 kB of script", async () => {
    const scripts = await Promise.all(["index.html", "offline.js"].map((name) => readFile(join(folder, "site", name))));
    const bytes = scripts.reduce((sum, script) => sum + gzipSync(script, { level: 9 }).length, 0);
    assert.ok(bytes < 250_000, `${bytes} bytes`);
  });

  it("classifies without a network, as Node.js does, and explains the prediction", async () => {
    const { page, problems } = await app.open();
    await page.locator(".status", { hasText: "parameters" }).waitFor();
    await page.getByText("Kept in this browser").waitFor();
    await page.context().setOffline(true);
    await page.setInputFiles(chooser, image);
    await page.locator(".classes tbody tr").nth(4).waitFor();
    assert.deepEqual(await probabilitiesOf(page), await app.rowsOf(join(folder, "colour.safetensors")));
    const classifier = await openClassifier(join(folder, "colour.safetensors"));
    const [best] = await classifier.predict(image);
    await classifier.close();
    const width = await page
      .locator(".classes .bar")
      .first()
      .evaluate(({ style }: HTMLElement) => Number.parseFloat(style.width));
    // The browser may multiply and add in one instruction, and sums in another order than oneDNN.
    assert.ok(Math.abs(width / 100 - (best?.probability ?? 0)) <= 1e-4);
    for (const overlay of ["activation", "saliency"]) {
      await page.getByLabel("Show over the image").selectOption(overlay);
      await page.locator(".overlay canvas").waitFor();
      await page.getByLabel("Show over the image").selectOption("none");
    }
    await page.locator(".maps button").first().focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowRight");
    await page.getByText(/^Row \d+, column \d+: .*Receptive field: rows/).waitFor();
    await page.setInputFiles(chooser, join(folder, "text.png"));
    await page.locator(".problem", { hasText: "text.png: not an image" }).waitFor();
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("explains a network, and says where a change does not fit", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#explain`);
    await page.getByText("(227 − 11 + 2×0) ÷ 4 + 1 = 55").waitFor();
    await page.getByText("11 × 11 × 3 × 96 + 96 = 34,944").waitFor();
    await page.getByRole("button", { name: "224" }).click();
    await page.getByText("⌊(224 − 11 + 2×0) ÷ 4⌋ + 1 = 54").waitFor();
    await page.getByLabel("padding").fill("2");
    await page.getByLabel("padding").press("Enter");
    await page.getByText("(224 − 11 + 2×2) ÷ 4⌋ + 1 = 55").waitFor();
    await page.getByRole("button", { name: "conv3", exact: true }).click();
    // Half of the 256 maps of 13×13 are on the other device.
    await page.getByText(/each device needs 21,632 values/).waitFor();
    await page.getByRole("button", { name: "conv2", exact: true }).click();
    await page.getByText("this layer needs no exchange").waitFor();
    await page.getByLabel("groups").fill("7");
    await page.getByLabel("groups").press("Enter");
    await page.locator(".problem", { hasText: "conv2: 7 groups do not divide" }).waitFor();
    assert.equal(await page.locator(".layers tbody tr").count(), 4);
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("trains by keyboard, resumes after a reload, and downloads what Node.js predicts alike", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#train`);
    const press = async (name: string) => {
      const button = page.getByRole("button", { name, exact: true });
      await button.waitFor();
      await button.focus();
      await page.keyboard.press("Enter");
    };
    await addTwoClasses(page);
    await page.locator('input[accept=".safetensors"]').setInputFiles(join(folder, "colour.safetensors"));
    await press("Create the run");
    await press("One step");
    const state = page.locator('section [role="status"]', { hasText: "Paused" });
    await state.waitFor();
    await page.getByText("Saved in this browser").waitFor();
    await page.reload();
    await page.getByText("is saved: 1 iterations").waitFor();
    await press("Open the saved run");
    await press("Start");
    await page.locator(".matrix").waitFor();
    await page.locator('section [role="status"]', { hasText: "Finished" }).waitFor({ timeout: 120_000 });
    await page.locator(".matrix button").first().click();
    await page.getByRole("heading", { name: /^Images of .* predicted as/ }).waitFor();
    const [download] = await Promise.all([page.waitForEvent("download"), press("Download weights (.safetensors)")]);
    const file = join(folder, "trained.safetensors");
    await download.saveAs(file);
    const [other] = await Promise.all([page.waitForEvent("download"), press("Download ONNX")]);
    const onnx = join(folder, "trained.onnx");
    await other.saveAs(onnx);
    await press("Try it on an image");
    await page.locator(".status", { hasText: "alexnet.safetensors: 2 classes" }).waitFor();
    await page.setInputFiles(chooser, image);
    await page.locator(".classes tbody tr").nth(1).waitFor();
    const rows = await probabilitiesOf(page);
    assert.deepEqual(rows, await app.rowsOf(file));
    for (const downloaded of [file, onnx]) {
      const run = `${downloaded}-run`;
      await importModel(downloaded, run, {});
      assert.deepEqual(await app.rowsOf(run), rows, downloaded);
    }
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("predicts from a single file on the disk", async () => {
    const file = join(folder, "one.html");
    await writeWebFile(join(folder, "colour.safetensors"), file);
    const { page, problems } = await app.open(wide, pathToFileURL(file).href);
    await page.setInputFiles(chooser, image);
    await page.locator(".classes tbody tr").nth(4).waitFor();
    const [first] = await app.rowsOf(join(folder, "colour.safetensors"));
    assert.equal((await probabilitiesOf(page))[0]?.split("\t")[0], first?.split("\t")[0]);
    await page.getByText("not cross-origin isolated").waitFor();
    assert.deepEqual(problems(), []);
    await page.context().close();
  });
});
