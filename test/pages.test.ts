/** Report, comparison and live page in Chromium: nothing fetched, readable by everyone, in light and dark, small and printed. */
/// <reference lib="dom" />
/** The pages in a browser: nothing goes wrong, nothing is fetched, everyone can read them, in light and dark, on a phone and on paper. */
import assert from "node:assert/strict";
import { appendFile, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { type LiveServer, serveLive } from "../src/cli/liveServer.ts";
import { palettes } from "../src/report/theme.ts";
import { writeComparison } from "../src/runs/chartFiles.ts";
import { compareRuns } from "../src/runs/compareRuns.ts";
import { createLiveRun } from "../src/runs/liveRun.ts";
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
  ...[320, 1280].flatMap((width) => (["light", "dark"] as const).map((colorScheme): Look => ({ width, colorScheme }))),
  { width: 794, colorScheme: "dark", media: "print" },
];

let folder: string;
let browser: Browser;
let server: LiveServer;
/** The three pages by their names, and what each may ask for. */
const pages = new Map<string, { readonly url: string; readonly allowed: string }>();

/** One that draws whenever there is something new. */
async function serveRun(directory: string): Promise<LiveServer> {
  return serveLive(await createLiveRun(directory, { shareOfTime: 1000 }), { host: "127.0.0.1", port: 0 });
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
    ] as const) {
      const { href } = pathToFileURL(file);
      pages.set(name, { url: href, allowed: href });
    }
    pages.set("live", { url: server.url, allowed: server.url });
  });
  after(async () => {
    await browser?.close();
    server?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  for (const name of ["report", "comparison", "live"]) {
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
