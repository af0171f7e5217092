/** The graphics adapter of Chromium, by the arguments that select it. */
import { existsSync } from "node:fs";
import { isSoftware, nameOf } from "../../src/engine/webgpu/adapter.ts";
import type { GpuAdapterInfo, WebGpu } from "../../src/engine/webgpu/api.ts";
import { messageOf, NativeError, UsageError } from "../../src/errors.ts";
import { findChromium, launchChromium } from "../../test/browser.ts";
import { serve } from "../../test/localServer.ts";

/** An adapter of Chromium. */
export interface BrowserAdapter {
  readonly info: GpuAdapterInfo;
  readonly name: string;
  readonly isSoftware: boolean;
  /** Arguments of Chromium that select it. */
  readonly args: readonly string[];
}

/** On Linux, Chromium without a window uses a graphics processor only if Vulkan is requested. */
const vulkan = ["--enable-features=Vulkan", "--use-angle=vulkan", "--disable-vulkan-surface", "--ignore-gpu-blocklist"];
const hardware = ["--enable-unsafe-webgpu", ...(process.platform === "linux" ? vulkan : [])];
/** A kernel of a software adapter may take longer than the watchdog of graphics processors permits. */
const software = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-gpu-watchdog"];

/** The hardware adapter of Chromium, otherwise its software adapter. Throws UsageError without Chromium, NativeError without any adapter. */
export async function findBrowserAdapter(): Promise<BrowserAdapter> {
  const path = findChromium();
  if (path === undefined || !existsSync(path)) {
    throw new UsageError(
      `--engine webgpu: no Chromium ${path ?? "on the PATH"}; install it (Debian: apt-get install chromium), or set ALEXNET_CHROMIUM to the path of its executable`,
    );
  }
  for (const args of [hardware, software]) {
    const info = await adapterOf(path, args);
    if (!info) continue;
    const isEmulated = isSoftware({ info });
    if (isEmulated === (args === software)) return { info, name: nameOf({ info }), isSoftware: isEmulated, args };
  }
  throw new NativeError(`${path}: no graphics adapter for WebGPU; install a graphics driver, or a current Chromium`);
}

/** Names of the adapter that Chromium prefers with these arguments; undefined without one. */
async function adapterOf(path: string, args: readonly string[]): Promise<GpuAdapterInfo | undefined> {
  const browser = await launchChromium(args).catch((cause) => {
    const reason = messageOf(cause).split("\n")[0];
    throw new NativeError(`${path}: Chromium cannot be started: ${reason}; set ALEXNET_CHROMIUM to another`, { cause });
  });
  // WebGPU is restricted to pages of secure origins, such as this machine.
  const server = await serve((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end());
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    return await page.evaluate(async () => {
      const { gpu } = navigator as unknown as { readonly gpu?: WebGpu };
      const info = (await gpu?.requestAdapter({ powerPreference: "high-performance" }))?.info;
      if (!info) return undefined;
      const { vendor, architecture, device, description, isFallbackAdapter } = info;
      return { vendor, architecture, device, description, isFallbackAdapter: isFallbackAdapter === true };
    });
  } finally {
    await browser.close();
    server.close();
  }
}
