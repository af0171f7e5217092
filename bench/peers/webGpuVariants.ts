/** The WebGPU engine of this project in Chromium, and in Node.js by Dawn. */
import { fileURLToPath } from "node:url";
import type { BrowserAdapter } from "./browserAdapter.ts";
import type { OwnSetting } from "./ownWorker.ts";
import { startPage } from "./pageWorker.ts";
import { startScript, type Variant } from "./variants.ts";

const own = { precision: "f32", isPeer: false, dropout: "our masks" } as const;

/** The engine in a page of Chromium. */
export function pageEngine({ args }: BrowserAdapter): Variant {
  const program = {
    imports: 'import * as library from "./src/engine/webgpu/webgpu.ts";',
    folder: fileURLToPath(new URL("../../", import.meta.url)),
    computation: "ownPage.ts",
  };
  return { ...own, name: "webgpu, Chromium", start: (request) => startPage(program, request, args) };
}

/** The engine in Node.js on the adapter of Chromium. For a software adapter, Dawn uses the driver of Debian's Chromium. */
export function dawnVariant({ info, isSoftware }: BrowserAdapter): Variant {
  const { vendor, architecture } = info;
  const setting: OwnSetting = { engine: "webgpu", exact: true, adapter: { vendor, architecture } };
  return {
    ...own,
    name: "webgpu, Node.js",
    async start(request) {
      const variables = isSoftware ? (await import("../../test/webgpuAdapter.ts")).adapterVariables : {};
      return startScript("ownWorker.ts", JSON.stringify(setting), request, variables);
    },
  };
}
