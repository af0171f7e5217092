/**
 * Screenshots of the browser app for docs/web.md, in Chromium: the sample of Fashion-MNIST is trained in the page, and the network tried on an image.
 * Chinese texts need a font, on Debian `fonts-noto-cjk`.
 *
 *     node --import tsx scripts/webScreenshots.ts [--seconds 90] [--output docs/web] [--wide]
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Locator, Page } from "playwright-core";
import sharp from "sharp";
import { loadFashionMnist } from "../src/dataset/sources/fashionMnist.ts";
import { writeWebFolder } from "../src/exchange/writeWeb.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { launchChromium } from "../test/browser.ts";
import { hostFolder } from "../test/hostedApp.ts";
import { isolation } from "../test/localServer.ts";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "90" },
    output: { type: "string", default: "docs/web" },
    /** Also 2,560 pixels, to look at. */
    wide: { type: "boolean", default: false },
  },
});

interface Look {
  readonly width: number;
  readonly colorScheme: "light" | "dark";
  readonly language: "en" | "zh-CN";
}

const looks: readonly Look[] = [
  ...[360, 1280].flatMap((width) =>
    (["light", "dark"] as const).map((colorScheme) => ({ width, colorScheme, language: "en" as const })),
  ),
  ...(flags.wide ? [{ width: 2560, colorScheme: "dark", language: "en" } as const] : []),
  { width: 1280, colorScheme: "light", language: "zh-CN" },
  { width: 360, colorScheme: "dark", language: "zh-CN" },
];
/** Height of the screenshots, from the top of the page. */
const heights = { try: 1500, explain: 1500, train: 2600 } as const;
const views = Object.keys(heights) as (keyof typeof heights)[];
/** Colours of the palette. */
const COLOURS = 192;

const folder = await mkdtemp(join(tmpdir(), "alexnet-screenshots-"));
await writeWebFolder([], join(folder, "site"));
const host = await hostFolder(join(folder, "site"), isolation);
const browser = await launchChromium();
try {
  await mkdir(flags.output, { recursive: true });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  await page.goto(`${host.url}/#train`);
  await train(page);
  await tryOn(page);
  await page.locator('nav a[href="#explain"]').click();
  await page.getByRole("button", { name: "conv3", exact: true }).click();
  await page.mouse.move(0, 0);
  for (const look of looks) await shoot(page, look);
} finally {
  await browser.close();
  host.close();
  await rm(folder, { recursive: true });
}

async function train(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Use the Fashion-MNIST sample" }).click();
  await page.getByText("Ankle boot").first().waitFor();
  await page.getByRole("button", { name: "Create the run" }).click();
  await page.getByRole("button", { name: "Start" }).click();
  await page.waitForTimeout(1000 * Number(flags.seconds));
  await page.locator(".matrix").waitFor({ timeout: 0 });
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Start" }).waitFor({ timeout: 0 });
  await page
    .locator(".matrix button")
    .nth(await mostFrequentMistake(page))
    .click();
  await cellIn(page, "en").waitFor();
}

/** Index of the cell with the most wrong predictions. */
function mostFrequentMistake(page: Page): Promise<number> {
  return page.locator(".matrix button").evaluateAll((cells) => {
    const side = Math.sqrt(cells.length);
    const mistakes = cells.map(({ textContent }, i) => (i % (side + 1) === 0 ? 0 : Number(textContent)));
    return mistakes.indexOf(Math.max(...mistakes));
  });
}

/** First image of the selected cell, under a heading in the language: images arrive after the matrix. */
function cellIn(page: Page, language: Look["language"]): Locator {
  const heading = page.locator("h3", { hasText: language === "en" ? /^Images of/ : /的图像$/ });
  return heading.locator("xpath=following-sibling::*[1]").locator("figure canvas").first();
}

async function tryOn(page: Page): Promise<void> {
  const { test } = await loadFashionMnist({ download: false });
  const boot = Buffer.from(await encodePng(test.image(0)));
  await page.getByRole("button", { name: "Try it on an image" }).click();
  await page.locator(".status", { hasText: "10 classes" }).waitFor();
  await page.setInputFiles('input[accept="image/*"]', { name: "boot.png", mimeType: "image/png", buffer: boot });
  await page.getByRole("button", { name: "conv1, map 4" }).click();
}

async function shoot(page: Page, { width, colorScheme, language }: Look): Promise<void> {
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme });
  if ((await page.evaluate(() => document.documentElement.lang)) !== language) {
    await page.locator("header button").click();
  }
  for (const view of views) {
    await page.locator(`nav a[href="#${view}"]`).click();
    if (view === "try") await showParts(page);
    if (view === "train") await cellIn(page, language).waitFor();
    const height = Math.min(heights[view], await page.evaluate(() => document.documentElement.scrollHeight));
    const screenshot = await page.screenshot({ fullPage: true, clip: { x: 0, y: 0, width, height } });
    const name = [view, width, colorScheme, ...(language === "en" ? [] : ["zh"])].join("-");
    await sharp(screenshot)
      .png({ palette: true, colours: COLOURS, effort: 10 })
      .toFile(join(flags.output, `${name}.png`));
  }
}

/** A change of the language renders the view again, without an overlay and an enlarged map. */
async function showParts(page: Page): Promise<void> {
  await page.locator(".result select").first().selectOption("activation");
  await page.locator(".overlay canvas").waitFor();
  await page.locator(".maps button").nth(3).click();
  await page.locator(".large").press("ArrowDown");
}
