/** The browser app on a host, opened in Chromium. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Browser, FrameLocator, Locator, Page } from "playwright-core";
import { writeWebFolder } from "../src/exchange/writeWeb.ts";
import { encodePng } from "../src/image/files/decode.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { type Look, launchChromium, openPage } from "./browser.ts";
import { isolation, type LocalServer, serve } from "./localServer.ts";
import { noise } from "./packPictures.ts";
import { writeColour } from "./servedNetworks.ts";

/** A wide, light page. */
export const wide: Look = { width: 1280, colorScheme: "light" };
const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript" };

/** Serves a folder as static hosts do, by default on a free port. */
export function hostFolder(folder: string, headers: Readonly<Record<string, string>>, port = 0): Promise<LocalServer> {
  return serve(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://host").pathname));
    const name = path === "/" ? "index.html" : path;
    const file = await readFile(join(folder, name)).catch(() => undefined);
    const type = types[extname(name)] ?? "application/octet-stream";
    response.writeHead(file ? 200 : 404, { ...headers, "Content-Type": type }).end(file);
  }, port);
}

/** Selector of the inputs that choose images. */
export const chooser = 'input[accept="image/*"]';

/** The app with one network, `colour.safetensors` in `folder`. */
export interface HostedApp {
  readonly folder: string;
  readonly url: string;
  readonly browser: Browser;
  /** Path of an image of noise. */
  readonly image: string;
  /** Opens a page, by default that of the host. */
  open(look?: Look, url?: string): Promise<{ readonly page: Page; readonly problems: () => readonly string[] }>;
  /** Rows that the page is to show for an image, by default `image`. */
  rowsOf(weights: string, file?: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Writes the app, serves it, and starts Chromium with `args` besides. */
export async function hostApp(args: readonly string[] = []): Promise<HostedApp> {
  const folder = await mkdtemp(join(tmpdir(), "alexnet-web-"));
  const image = join(folder, "noise.png");
  await writeFile(image, await encodePng(noise(1, 30, 20, 3)));
  await writeFile(join(folder, "text.png"), "<b>no image</b>");
  await writeColour(join(folder, "colour.safetensors"));
  await writeWebFolder([join(folder, "colour.safetensors")], join(folder, "site"));
  const host = await hostFolder(join(folder, "site"), isolation);
  // A camera that shows a test pattern; pages must be permitted to use it.
  const browser = await launchChromium(["--use-fake-device-for-media-stream", ...args]);
  return {
    folder,
    browser,
    url: host.url,
    image,
    async open(look = wide, url = `${host.url}/`) {
      const { page, complaints } = await openPage(browser, url, look, url.startsWith(host.url) ? host.url : url);
      // The workers are copies of the page's script.
      return { page, problems: () => complaints.filter((complaint) => !complaint.startsWith("request: blob:")) };
    },
    async rowsOf(weights, file = image) {
      const classifier = await openClassifier(weights);
      const classes = await classifier.predict(file);
      await classifier.close();
      return classes
        .slice(0, 5)
        .map(({ className, probability }) => `${className}\t${(100 * probability).toFixed(1)} %\t`);
    },
    async close() {
      await browser.close();
      host.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Rows of the most probable classes. */
export function probabilitiesOf(page: Page): Promise<readonly string[]> {
  return page.locator(".classes tbody tr").allInnerTexts();
}

/** Waits until the page shows the classes that Node.js computes for an image, by default that of the app. */
export async function expectClasses(page: Page, app: HostedApp, file = app.image): Promise<void> {
  const rows = await app.rowsOf(join(app.folder, "colour.safetensors"), file);
  const isShown = async () => isDeepStrictEqual(await probabilitiesOf(page), rows);
  for (let tries = 0; tries < 100 && !(await isShown()); tries++) await page.waitForTimeout(100);
  assert.deepEqual(await probabilitiesOf(page), rows);
}

/** Drops files or folders of the disk on an element, as a person does. */
export async function dropFiles(target: Locator, files: readonly string[]): Promise<void> {
  await target.scrollIntoViewIfNeeded();
  const box = await target.boundingBox();
  assert.ok(box);
  const page = target.page();
  // The middle of a tall element may lie below the window, where nothing is dropped.
  const bottom = Math.min(box.y + box.height, page.viewportSize()?.height ?? Number.POSITIVE_INFINITY);
  const place = { x: box.x + box.width / 2, y: (box.y + bottom) / 2 };
  const session = await page.context().newCDPSession(page);
  for (const type of ["dragEnter", "dragOver", "drop"] as const) {
    const data = { items: [], files: [...files], dragOperationsMask: 1 };
    await session.send("Input.dispatchDragEvent", { type, ...place, data });
  }
}

/** The card of a class. */
export function cardOf(page: Page | FrameLocator, name: string): Locator {
  return page.locator(".card").filter({ has: page.getByRole("heading", { name, exact: true }) });
}

/** Adds a class to fill. */
export async function newClass(page: Page | FrameLocator, name: string): Promise<void> {
  const input = page.getByLabel("Name of a new class");
  await input.fill(name);
  await input.press("Enter");
  await page.getByRole("heading", { name, exact: true }).waitFor();
}

/** Adds a class of light and one of dark images, with names that look like markup. */
export async function addTwoClasses(page: Page | FrameLocator): Promise<void> {
  for (const [name, level] of [
    ["<b>light</b>", 230],
    ["</script>dark", 20],
  ] as const) {
    await newClass(page, name);
    const files = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const data = new Uint8Array(3 * 32 * 32).fill(level + i);
        const buffer = await encodePng({ width: 32, height: 32, channels: 3, data });
        return { name: `${i}.png`, mimeType: "image/png", buffer: Buffer.from(buffer) };
      }),
    );
    const card = cardOf(page, name);
    await card.locator('input[type="file"]').setInputFiles(files);
    await card.getByText("8 images").waitFor();
  }
}
