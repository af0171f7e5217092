/** The browser app by drop, paste, camera, pointer and keyboard, with images of one's own; and with content in both languages and colour schemes. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { seriousFindings, skippedWithoutChromium } from "./browser.ts";
import { cardOf, chooser, dropFiles, expectClasses, type HostedApp, hostApp, wide } from "./hostedApp.ts";
import { bands, noise, writePicture } from "./packPictures.ts";

let app: HostedApp;
let folder: string;
const images = 8;

describe("use of the browser app", { skip: skippedWithoutChromium() }, () => {
  before(async () => {
    app = await hostApp();
    ({ folder } = app);
    for (let i = 0; i < images; i++) {
      await writePicture(folder, `photos/ants/${i}.png`, noise(i, 20, 20, 3));
      await writePicture(folder, `photos/more/bees/${i}.png`, bands(i, 20, 20));
    }
    await writeFile(join(folder, "photos/ants/.hidden"), "");
    await writeFile(join(folder, "photos/ants/notes.txt"), "no image");
  });
  after(() => app?.close());

  it("classifies what is dropped, pasted, and seen by the camera", async () => {
    const { page, problems } = await app.open();
    await page.locator(chooser).waitFor({ state: "attached" });
    await dropFiles(page.locator("main"), [app.image]);
    await expectClasses(page, app);
    const pasted = join(folder, "photos/more/bees/3.png");
    await page.evaluate(
      (bytes) => {
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
        dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
      },
      [...(await readFile(pasted))],
    );
    await expectClasses(page, app, pasted);
    await page.getByRole("button", { name: "Use the camera" }).click();
    await page.locator(".problem", { hasText: "The camera cannot be used: Permission denied" }).waitFor();
    await page.context().grantPermissions(["camera"]);
    await page.getByRole("button", { name: "Use the camera" }).click();
    await page.getByRole("button", { name: "Take the photo" }).click();
    await page.locator(".status", { hasText: "ms" }).waitFor();
    assert.equal(await page.locator(".classes tbody tr").count(), 5);
    await page.getByRole("button", { name: "Stop the camera" }).click();
    assert.equal(await page.locator("video").count(), 0);
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("marks the receptive field of the neuron under the pointer", async () => {
    const { page, problems } = await app.open();
    await page.setInputFiles(chooser, app.image);
    // 12×12 outputs of a 5×5 kernel on 16×16 pixels.
    await page.getByRole("button", { name: "conv1, map 2" }).click();
    const map = page.locator(".large canvas");
    const box = await map.boundingBox();
    assert.ok(box);
    await page.mouse.move(box.x + (4.5 / 12) * box.width, box.y + (2.5 / 12) * box.height);
    await page.getByText(/^Row 3, column 5: .*Receptive field: rows 3 to 7, columns 5 to 9 of the input/).waitFor();
    const mark = await page.locator(".enlarged .frame .mark").evaluate(({ style }: HTMLElement) => {
      return [style.top, style.left, style.height, style.width].map(Number.parseFloat);
    });
    assert.deepEqual(
      mark,
      [2, 4, 5, 5].map((pixels) => (100 * pixels) / 16),
    );
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("trains on a dropped folder, further images and photos, and shows the images of a cell and the wrong ones", async () => {
    const { page, problems } = await app.open(wide, `${app.url}/#train`);
    const ants = cardOf(page, "ants");
    await dropFiles(page.locator("main"), [join(folder, "photos")]);
    await page.locator(".problem", { hasText: "1 files were skipped. The first: notes.txt: not an image" }).waitFor();
    await cardOf(page, "bees").getByText(`${images} images`).waitFor();
    await dropFiles(ants, [app.image]);
    await ants.getByText(`${images + 1} images`).waitFor();
    await page.locator("input[webkitdirectory]").setInputFiles(join(folder, "photos/ants"));
    await ants.getByText(`${2 * images + 1} images`).waitFor();
    await page.context().grantPermissions(["camera"]);
    await ants.getByRole("button", { name: "Camera for ants" }).click();
    await ants.getByRole("button", { name: "Take the photo" }).click();
    await ants.getByText(`${2 * images + 2} images`).waitFor();
    await ants.getByRole("button", { name: "Stop the camera" }).click();
    // The learning rate is the optimizer's, unless it was changed.
    const [optimizer, rate] = [page.getByLabel("Optimizer"), page.getByLabel("Learning rate")];
    await optimizer.selectOption("sgd");
    assert.equal(await rate.inputValue(), "0.01");
    await rate.fill("0.002");
    await rate.press("Enter");
    await optimizer.selectOption("adam");
    assert.equal(await rate.inputValue(), "0.002");
    await trainShortly(page);

    const cells = page.locator(".matrix tbody td button");
    const counts = (await cells.allInnerTexts()).map(Number);
    const names = ["ants", "bees"];
    for (const [cell, count] of counts.entries()) {
      const [label = "", predicted = ""] = [names[cell >> 1], names[cell % 2]];
      await cells.nth(cell).click();
      const heading = page.getByRole("heading", { name: `Images of ${label} predicted as ${predicted}` });
      await heading.waitFor();
      const captions = await heading.locator("xpath=following-sibling::*[1]").locator("figcaption").allInnerTexts();
      assert.equal(captions.length, count);
      for (const caption of captions) assert.ok(caption.startsWith(`${label}, predicted as ${predicted} (`), caption);
    }
    const [, first = 0, second = 0] = counts;
    const wrong = page.getByRole("heading", { name: "Wrong predictions" }).locator("xpath=..").locator("figure");
    assert.equal(await wrong.count(), first + second);
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("works by keyboard alone, and the focus stays where it is", async () => {
    const { page, problems } = await app.open();
    // Listened to before Tab: the page must know of it when Enter arrives.
    const chosen = page.waitForEvent("filechooser");
    await tabTo(page, "Choose an image");
    await page.keyboard.press("Enter");
    await (await chosen).setFiles(app.image);
    await expectClasses(page, app);
    await tabTo(page, "Show over the image");
    await page.keyboard.press("ArrowDown");
    await page.getByText("hiding this part lowers the probability").waitFor();
    await tabTo(page, "conv1, map 3");
    await page.keyboard.press("Enter");
    await page.keyboard.press("ArrowDown");
    await page.getByText(/^Row 8, column 7: /).waitFor();
    await tabTo(page, "Close");
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "conv1, map 3");

    await tabTo(page, "Explain", true);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Explain", exact: true }).waitFor();
    assert.equal(await focused(page), "Explain");
    await tabTo(page, "conv2");
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "conv2");
    await tabTo(page, "groups");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.getByText("each device needs 34,992 values").waitFor();
    assert.equal(await focused(page), "groups");
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("keeps its controls while a network loads, so that a click on one is not lost", async () => {
    const { page, problems } = await app.open();
    await page.locator(".status", { hasText: "parameters" }).waitFor();
    const isKept = page.evaluate(
      () =>
        new Promise<boolean>((resolve) => {
          let button: Element | null = null;
          new MutationObserver(() => {
            const status = document.querySelector(".status")?.textContent ?? "";
            if (status.startsWith("Loading copy")) button = document.querySelector("#drop button");
            if (button && status.startsWith("copy")) resolve(button.isConnected);
          }).observe(document.body, { childList: true, subtree: true });
        }),
    );
    const buffer = await readFile(join(folder, "colour.safetensors"));
    await page
      .locator('input[accept=".safetensors"]')
      .setInputFiles({ name: "copy.safetensors", mimeType: "", buffer });
    assert.equal(await isKept, true);
    assert.deepEqual(problems(), []);
    await page.context().close();
  });

  it("has no serious finding with content, in both languages and colour schemes, from 360 to 2,560 pixels", async () => {
    const { page, problems } = await app.open(wide);
    const show = (view: string) => page.locator(`nav a[href="#${view}"]`).click();
    await show("train");
    assert.deepEqual(await seriousFindings(page), [], "without a run");
    await page.locator("input[webkitdirectory]").setInputFiles(join(folder, "photos"));
    // Said once all files are read.
    await page.locator(".problem", { hasText: "1 files were skipped" }).waitFor();
    await trainShortly(page);
    await show("try");
    assert.deepEqual(await seriousFindings(page), [], "without an image");
    await page.setInputFiles(chooser, app.image);
    await page.locator(".maps button").first().click();
    for (const language of ["en", "zh-CN"]) {
      assert.equal(await page.evaluate(() => document.documentElement.lang), language);
      for (const [width, colorScheme] of [
        [360, "light"],
        [2560, "dark"],
        [360, "dark"],
      ] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        for (const view of ["try", "explain", "train"]) {
          const name = `${view}, ${language}, ${width} pixels, ${colorScheme}`;
          await show(view);
          assert.deepEqual(await seriousFindings(page), [], name);
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, name);
        }
      }
      await page.locator("header button").click();
    }
    assert.deepEqual(problems(), []);
    await page.context().close();
  });
});

/** Trains for two epochs, from the weights of the app's network. */
async function trainShortly(page: Page): Promise<void> {
  await page.locator('input[accept=".safetensors"]').setInputFiles(join(folder, "colour.safetensors"));
  await page.getByLabel("Epochs").fill("2");
  await page.getByLabel("Epochs").press("Enter");
  await page.getByRole("button", { name: "Create the run" }).click();
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator('section [role="status"]', { hasText: "Finished" }).waitFor({ timeout: 120_000 });
  await page.locator(".matrix").waitFor();
}

/** Presses Tab until a control has the focus, backwards if asked. It must be marked. */
async function tabTo(page: Page, name: string, isBackwards = false): Promise<void> {
  for (let steps = 0; steps < 80 && (await focused(page)) !== name; steps++) {
    await page.keyboard.press(isBackwards ? "Shift+Tab" : "Tab");
  }
  assert.equal(await focused(page), name);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle);
  assert.notEqual(outline, "none", name);
}

/** Name of the control that has the focus. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const control = document.activeElement as HTMLInputElement | null;
    return control?.ariaLabel ?? control?.labels?.[0]?.innerText ?? control?.innerText ?? "";
  });
}
