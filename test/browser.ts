/** Finds Chromium, opens pages and notes what they do wrong. */
/// <reference lib="dom" />
/** Chromium without a window, in which the pages are loaded as readers load them. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import type { AxeResults } from "axe-core";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome"];

/** The Chromium of this machine: `ALEXNET_CHROMIUM`, or the first on the PATH; undefined if there is none. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env["ALEXNET_CHROMIUM"]) return env["ALEXNET_CHROMIUM"];
  const folders = (env["PATH"] ?? "").split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

/** Why tests of pages are skipped; false if they run: where there is a Chromium, and where `CI` is set, which must have one. */
export function skippedWithoutChromium(env: NodeJS.ProcessEnv = process.env): string | false {
  if (findChromium(env) !== undefined || env["CI"]) return false;
  return `no Chromium: neither ALEXNET_CHROMIUM nor ${names.join(", ")} on the PATH; on Debian: apt-get install chromium`;
}

/** Starts it, with arguments besides its usual ones. Throws where there is none. */
export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error(`no Chromium, though CI is set: ${names.join(", ")}`);
  return chromium.launch({ executablePath, args: [...args] });
}

const axeScript = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Chromium's answer to a page that asks for a graphics adapter, where there is none. */
const NO_ADAPTER = "No available adapters.";

/** How a page is looked at. */
export interface Look {
  readonly width: number;
  readonly colorScheme: "light" | "dark";
  readonly media?: "print";
}

/** A page that is open, with everything that it did wrong so far: what the console says, errors, requests for anything but what is allowed. */
export interface OpenPage {
  readonly page: Page;
  readonly complaints: readonly string[];
}

/**
 * Opens a page. It may ask for itself, for `data:`, and for addresses that begin with `allowed`. Its policy on scripts holds: axe is brought in by the
 * browser, which asks no policy.
 */
export async function openPage(browser: Browser, url: string, look: Look, allowed = url): Promise<OpenPage> {
  const context: BrowserContext = await browser.newContext({
    viewport: { width: look.width, height: 800 },
    colorScheme: look.colorScheme,
  });
  // Other tests run beside: a network may take half a minute to compile.
  context.setDefaultTimeout(60_000);
  await context.addInitScript({ path: axeScript });
  const page = await context.newPage();
  if (look.media) await page.emulateMedia({ media: look.media });
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.text() !== NO_ADAPTER) complaints.push(`console, ${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const address = request.url();
    if (!address.startsWith("data:") && !address.startsWith(allowed)) complaints.push(`request: ${address}`);
  });
  await page.goto(url);
  return { page, complaints };
}

/** What axe-core finds of serious or critical impact, one a line. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { readonly axe: { run(): Promise<AxeResults> } }).axe.run(),
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}: ${failureSummary}`),
    );
}

/** Texts that spill over the box around them. */
export function clippedTexts(page: Page): Promise<readonly string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("dd, dt, li, p, h1, h2, h3, pre")]
      .filter(
        ({ scrollWidth, clientWidth, parentElement }) =>
          scrollWidth > Math.min(clientWidth, parentElement?.clientWidth ?? 0),
      )
      .map(({ textContent }) => textContent ?? ""),
  );
}

/** What scrolls and cannot be reached by Tab. */
export async function unreachable(page: Page): Promise<readonly string[]> {
  const scrolling = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("body *")]
      .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
      .filter((element) => /auto|scroll/.test(getComputedStyle(element).overflowX))
      .map((element, i) => {
        // Newer browsers let what scrolls have the focus by themselves: what the page says itself counts.
        if (element.tabIndex >= 0) element.setAttribute("data-scrolls", String(i));
        return `${element.localName}.${element.className}`;
      }),
  );
  const reached = new Set<string>();
  const stops = await page.evaluate(() => document.querySelectorAll("[tabindex], a, button, summary").length);
  for (let i = 0; i <= stops; i++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const { activeElement } = document;
      const isSeen = activeElement !== null && getComputedStyle(activeElement).outlineStyle !== "none";
      return isSeen ? activeElement.getAttribute("data-scrolls") : null;
    });
    if (at !== null) reached.add(at);
  }
  return scrolling.filter((_, i) => !reached.has(String(i)));
}
