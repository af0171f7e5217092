/** The browser app without a network: after a load it loads again with its host gone, a new build replaces it, and full storage is said. */
/// <reference lib="dom" />
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Page } from "playwright-core";
import { writeWebFolder } from "../src/exchange/writeWeb.ts";
import { openPage, skippedWithoutChromium } from "./browser.ts";
import { chooser, type HostedApp, hostApp, hostFolder, probabilitiesOf, wide } from "./hostedApp.ts";
import { writeGrey } from "./servedNetworks.ts";

let app: HostedApp;
let folder: string;

describe("the browser app without a network", { skip: skippedWithoutChromium() }, () => {
  before(async () => {
    app = await hostApp();
    ({ folder } = app);
  });
  after(() => app?.close());

  it("loads from its copy with all processors, and takes a new build once there is one", async (t) => {
    // Without the headers that isolate the page.
    const host = await hostFolder(join(folder, "site"), {});
    t.after(() => host.close());
    const port = Number(new URL(host.url).port);
    const { page } = await openPage(app.browser, `${host.url}/`, wide, host.url);
    await page.getByText("One thread: the page is not cross-origin isolated").waitFor();
    await page.getByText("Kept in this browser").waitFor();
    await page.getByText("One thread. Reload the page to use all processors.").waitFor();
    host.close();

    await page.reload();
    await predicts(page, "colour");
    assert.equal(await page.evaluate(() => crossOriginIsolated), true);
    await page.locator('nav a[href="#train"]').click();
    await page.getByRole("button", { name: "Use the Fashion-MNIST sample" }).click();
    await page.getByText("Ankle boot").first().waitFor();

    await writeGrey(join(folder, "grey.safetensors"));
    await writeWebFolder([join(folder, "grey.safetensors")], join(folder, "second"));
    const second = await hostFolder(join(folder, "second"), {}, port);
    t.after(() => second.close());
    const [first] = await copies(page);
    await page.goto(`${host.url}/`);
    await predicts(page, "grey");
    const isReplaced = ([name, ...others]: readonly string[]) => name !== first && others.length === 0;
    while (!isReplaced(await copies(page))) await page.waitForTimeout(100);
    second.close();

    await page.goto(`${host.url}/index.html`);
    await predicts(page, "grey");
    await page.context().close();
  });

  it("says that its files cannot be stored, and works", async () => {
    const { page } = await openPage(app.browser, "about:blank", wide, app.url);
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: app.url, quotaSize: 1000 });
    await page.goto(`${app.url}/`);
    await page.getByText("cannot be loaded again: the browser could not store its files").waitFor();
    await predicts(page, "colour");
    assert.deepEqual(await copies(page), []);
    await page.context().close();
  });
});

/** Classifies the image, and compares the classes with those of Node.js. */
async function predicts(page: Page, network: string): Promise<void> {
  await page.locator(".status", { hasText: `${network}: 7 classes` }).waitFor();
  await page.setInputFiles(chooser, app.image);
  await page.locator(".classes tbody tr").nth(4).waitFor();
  assert.deepEqual(await probabilitiesOf(page), await app.rowsOf(join(folder, `${network}.safetensors`)));
}

/** Names of the copies in the browser. */
function copies(page: Page): Promise<readonly string[]> {
  return page.evaluate(() => caches.keys());
}
