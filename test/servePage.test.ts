/** The server's page in Chromium: it classifies an image by the server, shows errors, looks inside shared weights, and holds its policy. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Browser } from "playwright-core";
import sharp from "sharp";
import { encodePng } from "../src/image/files/decode.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { launchChromium, openPage, seriousFindings, skippedWithoutChromium } from "./browser.ts";
import { noise } from "./packPictures.ts";
import { writeColour, writeTags } from "./servedNetworks.ts";
import { startServing } from "./serving.ts";

const chooser = 'input[accept="image/*"]';

let folder: string;
let browser: Browser;
let server: Awaited<ReturnType<typeof startServing>>;

describe("the page of alexnet serve", { skip: skippedWithoutChromium() }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "alexnet-serve-page-"));
    await writeColour(join(folder, "colour.safetensors"));
    await writeFile(join(folder, "noise-with-a-name-that-is-long.png"), await encodePng(noise(1, 30, 20, 3)));
    const { width, height, data } = noise(2, 30, 20, 3);
    await sharp(data, { raw: { width, height, channels: 3 } })
      .tiff()
      .toFile(join(folder, "noise.tif"));
    await writeFile(join(folder, "text.png"), "<b>no image</b>");
    server = await startServing({ "<i>colour</i>": join(folder, "colour.safetensors") }, { shareWeights: true });
    browser = await launchChromium();
  });
  after(async () => {
    await browser.close();
    await server.close();
    await rm(folder, { recursive: true });
  });

  it("marks the classes that are present, and says if none is", async () => {
    for (const [threshold, says] of [
      [1e-9, "✓: the probability reaches the network's threshold."],
      [1 - 1e-9, "None of these: no probability reaches the network's threshold."],
    ] as const) {
      const file = join(folder, `tags-${threshold}.safetensors`);
      await writeTags(file, threshold);
      const tagged = await startServing({ tags: file });
      const { page } = await openPage(browser, tagged.url, { width: 360, colorScheme: "light" });
      await page.setInputFiles(chooser, join(folder, "noise-with-a-name-that-is-long.png"));
      await page.locator(".classes p", { hasText: says }).waitFor();
      const rows = await page.locator(".classes tbody th").allTextContents();
      const marked = rows.filter((row) => row.endsWith(" ✓")).length;
      assert.deepEqual([rows.length, marked], threshold < 0.5 ? [7, 7] : [5, 0]);
      await page.context().close();
      await tagged.close();
    }
  });

  for (const look of [
    { width: 360, colorScheme: "light" },
    { width: 1280, colorScheme: "dark" },
  ] as const) {
    it(`classifies an image at ${look.width} pixels, ${look.colorScheme}`, async () => {
      const image = join(folder, "noise-with-a-name-that-is-long.png");
      const { page, complaints } = await openPage(browser, server.url, look);
      await page.setInputFiles(chooser, image);
      await page.locator(".classes tbody tr").nth(4).waitFor();
      const classifier = await openClassifier(join(folder, "colour.safetensors"));
      const classes = await classifier.predict(image);
      await classifier.close();
      // Class names are text, whatever they contain.
      const expected = classes.slice(0, 5).map(({ className }) => className);
      assert.deepEqual(await page.locator(".classes tbody th").allTextContents(), expected);
      assert.equal(await page.locator("option").first().textContent(), "<i>colour</i>");
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), look.width);
      assert.equal(await page.evaluate(() => crossOriginIsolated), true);
      assert.deepEqual(await seriousFindings(page), []);
      // Chromium does not show TIFF, and the server classifies it.
      await page.setInputFiles(chooser, join(folder, "noise.tif"));
      await page.locator(".frame").waitFor({ state: "detached" });
      await page.locator(".classes tbody tr").nth(4).waitFor();
      await page.setInputFiles(chooser, image);
      await page.locator(".frame").waitFor();
      await page.getByRole("button", { name: "Load the network into this tab" }).click();
      await page.locator(".layer").first().waitFor();
      assert.deepEqual(await page.locator(".classes tbody th").allTextContents(), expected);
      await page.setInputFiles(chooser, join(folder, "text.png"));
      await page.locator(".problem", { hasText: "text.png: not an image" }).waitFor();
      const own = (complaint: string) => complaint.startsWith(`request: blob:${server.url}`);
      assert.deepEqual(
        complaints.filter((complaint) => !own(complaint)),
        [],
      );
      await page.context().close();
    });
  }
});
