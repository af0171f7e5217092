/**
 * Report, comparison, experiment and live page in Chromium: nothing is fetched, everyone can read and operate them, in light and dark, on a phone and on
 * paper, with and without scripts.
 */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { type LiveServer, serveLive } from "../src/cli/liveServer.ts";
import { reproduce } from "../src/experiments/reproduce.ts";
import { findNetwork } from "../src/network/alexnet.ts";
import { summarize } from "../src/network/summary.ts";
import { chartFigure, scrollingTable } from "../src/report/pages/htmlParts.ts";
import { layerOverview } from "../src/report/tables/networkTables.ts";
import { palettes } from "../src/report/theme.ts";
import { writeComparison } from "../src/runs/chartFiles.ts";
import { compareRuns } from "../src/runs/compareRuns.ts";
import { createLiveRun } from "../src/runs/liveRun.ts";
import { networkDrawing } from "../src/runs/runReport.ts";
import { trainClassifier } from "../src/trainer/trainClassifier.ts";
import {
  clippedTexts,
  findChromium,
  type Look,
  launchChromium,
  openPage,
  seriousFindings,
  skippedWithoutChromium,
  unreachable,
} from "./browser.ts";
import { tinyNetwork, wideNetwork, writeTinyDataset } from "./tinyRuns.ts";

const looks: readonly Look[] = [
  { width: 320, colorScheme: "dark" },
  { width: 1280, colorScheme: "light" },
  { width: 794, colorScheme: "dark", media: "print" },
];

let folder: string;
let browser: Browser;
let server: LiveServer;
/** The three pages by their names, and what each may ask for. */
const pages = new Map<string, { readonly url: string; readonly allowed: string }>();

/** One that draws whenever there is something new. */
async function serveRun(directory: string): Promise<LiveServer> {
  return serveLive(await createLiveRun(directory, { fractionOfTime: 1000 }), { host: "127.0.0.1", port: 0 });
}

/** The page of an experiment, with lines and with rows of dots. */
async function experimentPage(settings: object): Promise<string> {
  const arms = ["ReLU, paper", "tanh, paper"];
  const own = { ...settings, dataset: "fashion-mnist", network: tinyNetwork, trainLimit: 200 };
  const done = await reproduce("relu-tanh", {
    output: join(folder, "made"),
    seeds: 2,
    arms,
    search: [0.01],
    settings: own,
  });
  return done.page ?? "";
}

/** A report with the drawing and the layers of AlexNet, the longest network. */
function longReport(report: string): string {
  const network = findNetwork("alexnet");
  const start = report.indexOf('<section class="network">');
  const end = report.indexOf("</section>", start);
  const layers = scrollingTable(layerOverview(summarize(network)));
  return `${report.slice(0, start)}<section class="network"><h2>alexnet</h2>${chartFigure(networkDrawing(network)).markup}${layers.markup}${report.slice(end)}`;
}

const skip = skippedWithoutChromium();

test("a browser is looked for where it may be; where CI is set it must be there", () => {
  assert.equal(findChromium({ ALEXNET_CHROMIUM: "/of/my/own", PATH: "" }), "/of/my/own");
  assert.equal(findChromium({ PATH: "/nowhere" }), undefined);
  assert.match(skippedWithoutChromium({ PATH: "/nowhere" }) || "", /^no Chromium: .*apt-get install chromium$/);
  assert.equal(skippedWithoutChromium({ PATH: "/nowhere", CI: "true" }), false);
});

describe("pages", { skip }, () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "alexnet-pages-"));
    browser = await launchChromium();
    await mkdir(join(folder, "data"));
    await writeTinyDataset(join(folder, "data"), { train: 640, test: 40 });
    const options = { dataDir: join(folder, "data"), threads: 1, epochs: 2, batchSize: 16 };
    const [first, second] = [join(folder, "first"), join(folder, "second")];
    await trainClassifier({ ...options, network: tinyNetwork, run: first });
    await trainClassifier({ ...options, network: wideNetwork, seed: 7, run: second });
    const compared = await writeComparison(join(folder, "compared"), await compareRuns([first, second]));
    server = await serveRun(first);
    for (const [name, file] of [
      ["report", join(first, "report.html")],
      ["comparison", compared],
      ["experiment", await experimentPage(options)],
    ] as const) {
      const { href } = pathToFileURL(file);
      pages.set(name, { url: href, allowed: href });
    }
    pages.set("live", { url: server.url, allowed: server.url });
    await writeFile(join(folder, "long.html"), longReport(await readFile(join(first, "report.html"), "utf8")));
    const { href } = pathToFileURL(join(folder, "long.html"));
    pages.set("long", { url: href, allowed: href });
  });
  after(async () => {
    await browser?.close();
    server?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  for (const name of ["report", "comparison", "experiment", "live"]) {
    for (const look of looks) {
      const { width, colorScheme, media } = look;
      test(`${name}, ${width} pixels, ${media ?? colorScheme}: no complaint, no serious finding, nothing beside the page`, async () => {
        const { url, allowed } = pages.get(name) as { url: string; allowed: string };
        const { page, complaints } = await openPage(browser, url, look, allowed);
        await page.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true;
        });
        assert.deepEqual(await seriousFindings(page), []);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
        assert.deepEqual(await clippedTexts(page), []);
        const palette = palettes[media ? "light" : colorScheme];
        for (const [shown, colour] of await chartColours(page)) assert.equal(shown, rgb(palette[colour]), colour);
        if (!media) assert.deepEqual(await unreachable(page), []);
        assert.deepEqual(complaints, []);
        await page.context().close();
      });
    }
  }

  for (const name of ["report", "comparison", "experiment", "live", "long"]) {
    for (const width of [360, 768, 1280, 2560]) {
      test(`${name}, ${width} pixels: nothing is wider than the page or its column, unless it scrolls in its own box`, async () => {
        const { url, allowed } = pages.get(name) as { url: string; allowed: string };
        const { page, complaints } = await openPage(browser, url, { width, colorScheme: "light" }, allowed);
        await page.evaluate(() => {
          for (const details of document.querySelectorAll("details")) details.open = true;
        });
        const wide = await tooWide(page);
        assert.equal(wide.page, width);
        // Charts of 720 pixels scroll on a phone, long tables on a tablet too, and nothing does where there is room.
        const charts = wide.scrolling.filter((box) => !box.startsWith("scroll "));
        assert.deepEqual(width >= 1280 ? wide.scrolling : width >= 768 ? charts : [], []);
        assert.deepEqual(wide.small, [], "text of drawings below 9 pixels");
        assert.deepEqual(await clippedTexts(page), []);
        assert.deepEqual(complaints, []);
        await page.context().close();
      });
    }
  }

  for (const colorScheme of ["light", "dark"] as const) {
    test(`${colorScheme}: a chart shows its values under the pointer and by the arrow keys, and Escape hides them`, async () => {
      const { url, allowed } = pages.get("report") as { url: string; allowed: string };
      const { page, complaints } = await openPage(browser, url, { width: 1280, colorScheme }, allowed);
      const tip = page.locator(".tip");
      const columns = page.locator(".curves .wide .hover path");
      assert.equal(await tip.isVisible(), false);
      await columns.last().hover();
      const says = await tip.innerText();
      assert.match(
        says,
        /^epoch 2\ntrain loss \d\.\d{3}\ntrain accuracy \d+\.\d %\ntest loss \d\.\d{3}\ntest accuracy \d+\.\d %$/,
      );
      // The browser would show the title beside the text of the page.
      assert.equal(await columns.last().locator("title").count(), 0);
      assert.deepEqual(await seriousFindings(page), []);
      await page.mouse.move(1, 1);
      assert.equal(await tip.isVisible(), false);
      await page.locator(".curves").focus();
      await page.keyboard.press("ArrowRight");
      assert.match(await tip.innerText(), /^epoch 0\.5\n/);
      await page.keyboard.press("ArrowLeft");
      assert.match(await tip.innerText(), /^epoch 0\.5\n/, "the first one");
      for (let i = await columns.count(); i > 0; i--) await page.keyboard.press("ArrowRight");
      assert.equal(await tip.innerText(), says);
      await page.keyboard.press("Escape");
      assert.equal(await tip.isVisible(), false);
      await page.locator("figure.chart").first().focus();
      await page.keyboard.press("ArrowRight");
      assert.match(await tip.innerText(), /^T-shirt\/top, predicted T-shirt\/top\n\d of \d, \d+\.\d %$/);
      assert.deepEqual(complaints, []);
      await page.context().close();
    });
  }

  test("tables sort by a click or a key: rows of the report, runs of the comparison", async () => {
    const report = pages.get("report") as { url: string; allowed: string };
    const { page, complaints } = await openPage(browser, report.url, { width: 1280, colorScheme: "light" });
    const table = page.locator(".scroll", { has: page.locator("thead th", { hasText: "Parameters" }) });
    const heading = table.locator("thead th", { hasText: "Parameters" });
    const cells = (selector: string) => table.locator(selector).allInnerTexts();
    const parameters = () => cells("tbody td:nth-child(4)");
    const names = await cells("tbody th");
    assert.equal(await heading.getAttribute("aria-sort"), null);
    await heading.getByRole("button").click();
    assert.deepEqual(await parameters(), ["3,216", "208", "170", "", "", "", "", "", ""]);
    assert.equal(await heading.getAttribute("aria-sort"), "descending");
    await heading.getByRole("button").press("Enter");
    assert.deepEqual(await parameters(), ["170", "208", "3,216", "", "", "", "", "", ""]);
    assert.equal(await heading.getAttribute("aria-sort"), "ascending");
    assert.deepEqual(await seriousFindings(page), []);
    const layer = table.locator("thead th", { hasText: "Layer" });
    await layer.getByRole("button").click();
    assert.deepEqual(await cells("tbody th"), names.toSorted());
    assert.equal(await page.locator("[aria-sort]").count(), 1);
    assert.equal(await table.locator("tfoot th").innerText(), "total");
    assert.deepEqual(complaints, []);
    await page.context().close();

    const comparison = pages.get("comparison") as { url: string; allowed: string };
    const compared = await openPage(browser, comparison.url, { width: 1280, colorScheme: "light" });
    const [figures, settings] = [
      compared.page.locator("table.by-row").first(),
      compared.page.locator("table.by-row").nth(1),
    ];
    const letters = () => figures.locator("thead th").allInnerTexts();
    const row = figures.locator("tbody th", { hasText: "parameters" });
    await row.getByRole("button").click();
    assert.deepEqual(await letters(), ["B", "A"]);
    assert.deepEqual(await figures.locator("tr", { hasText: "parameters" }).locator("td").allInnerTexts(), [
      "203,530",
      "3,594",
    ]);
    assert.deepEqual(await figures.locator("tr", { hasText: "network" }).locator("td").allInnerTexts(), [
      "wide",
      "tiny",
    ]);
    await row.getByRole("button").click();
    assert.deepEqual(await letters(), ["A", "B"]);
    const seed = settings.locator("tbody th", { hasText: "recipe.seed" });
    await seed.getByRole("button").click();
    assert.deepEqual(await settings.locator("thead th").allInnerTexts(), ["B", "A"]);
    assert.deepEqual(await letters(), ["A", "B"], "each table by itself");
    assert.deepEqual(await seriousFindings(compared.page), []);
    assert.deepEqual(compared.complaints, []);
    await compared.page.context().close();
  });

  test("without scripts: every row and figure is there, values as titles, and no button without effect", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.goto((pages.get("report") as { url: string }).url);
    assert.equal(await page.locator("th button").count(), 0);
    assert.equal(await page.locator(".classes tbody tr").count(), 10);
    assert.match((await page.locator(".curves .wide .hover title").last().textContent()) ?? "", /^epoch 2\ntrain loss/);
    await context.close();
  });

  test("the live page: a line of the log and a checkpoint arrive without the page being loaded anew", async () => {
    const directory = join(folder, "growing");
    await cp(join(folder, "first"), directory, { recursive: true });
    const growing = await serveRun(directory);
    try {
      const { page, complaints } = await openPage(browser, growing.url, { width: 320, colorScheme: "dark" });
      await page.evaluate(() => document.body.setAttribute("data-mark", "the same page"));
      const before = await page.innerHTML("#wide");
      const [filters, line] = [await page.innerHTML("#filters"), { ...newest, iteration: 4321 }];
      await appendFile(join(directory, "log.jsonl"), `${JSON.stringify(line)}\n`);
      await page.waitForFunction(
        () => document.getElementById("figures")?.textContent?.includes("4,321"),
        undefined,
        patience,
      );
      assert.notEqual(await page.innerHTML("#wide"), before);
      assert.equal(await page.innerHTML("#filters"), filters);
      await cp(join(folder, "first/previous.safetensors"), join(directory, "last.safetensors"));
      await page.waitForFunction((old) => document.getElementById("filters")?.innerHTML !== old, filters, patience);
      assert.equal(await page.getAttribute("body", "data-mark"), "the same page");
      for (const [shown, colour] of await chartColours(page)) assert.equal(shown, rgb(palettes.dark[colour]), colour);
      assert.deepEqual(complaints, []);
      assert.deepEqual(await clippedTexts(page), []);
      growing.close();
      await page.waitForSelector("#lost:not([hidden])", patience);
      await page.context().close();
    } finally {
      growing.close();
    }
  });

  test("these checks find what is wrong: a script, a request, an error, text without contrast, what cannot be reached", async () => {
    const file = join(folder, "wrong.html");
    await writeFile(
      file,
      `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>t</title><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<body><h1 style="color:#eee">pale</h1><script>alert(1)</script><img alt="" src="elsewhere.png">
<div class="chart" style="overflow:auto;width:50px"><div style="width:600px">wide</div></div><div style="width:40px;white-space:nowrap"><dd>spilling over</dd></div>`,
    );
    const { page, complaints } = await openPage(browser, pathToFileURL(file).href, {
      width: 320,
      colorScheme: "light",
    });
    assert.match(complaints.join("\n"), /console, error: .*script/i);
    assert.match(complaints.join("\n"), /console, error: .*img-src|request: .*elsewhere\.png/);
    assert.match((await seriousFindings(page)).join("\n"), /^color-contrast: <h1/m);
    assert.deepEqual(await unreachable(page), ["div.chart"]);
    assert.deepEqual(await clippedTexts(page), ["spilling over"]);
    await page.context().close();
  });
});

/** What is wider than its box: the page, boxes that scroll, and drawings whose letters have become small. */
function tooWide(page: Page) {
  return page.evaluate(() => {
    const scrolling = [...document.querySelectorAll("main *")].filter(
      (element) => element.scrollWidth > element.clientWidth && /auto|scroll/.test(getComputedStyle(element).overflowX),
    );
    const texts = [...document.querySelectorAll<SVGTextElement>("figure svg text")].filter(
      (text) => text.getClientRects().length > 0 && !text.closest("svg")?.querySelector("image"),
    );
    // No named function in here: the loader would add a helper that the page does not have.
    const sizes = texts.map((text) => ({
      text: text.textContent,
      size:
        Number.parseFloat(getComputedStyle(text).fontSize) *
        Math.hypot(text.getScreenCTM()?.c ?? 0, text.getScreenCTM()?.d ?? 0),
    }));
    return {
      page: document.documentElement.scrollWidth,
      scrolling: scrolling.map((one) => `${one.className} ${one.scrollWidth} > ${one.clientWidth}`),
      small: sizes.filter(({ size }) => size < 9).map(({ text, size }) => `${text} ${size}`),
    };
  });
}

const patience = { timeout: 60_000 };

const newest = {
  epoch: 3,
  trainLoss: 0.123,
  trainAccuracy: 0.5,
  learningRate: 0.01,
  examplesPerSecond: 77,
  seconds: 3599,
};

function rgb(hex: string): string {
  const bytes = [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
  return `rgb(${bytes.join(", ")})`;
}

/** Of every chart that is shown: the colours of its background and of its title, as the browser has them, and what they are in the palette. */
function chartColours(page: Page): Promise<readonly (readonly [string, "background" | "ink"])[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("figure svg")].flatMap((svg) => {
      const [rect, text] = [svg.querySelector(":scope > rect"), svg.querySelector("text")];
      if (!rect || !text) throw new Error(`a chart without background or title: ${svg.outerHTML.slice(0, 300)}`);
      return [[getComputedStyle(rect).fill, "background"] as const, [getComputedStyle(text).fill, "ink"] as const];
    }),
  );
}
