/** WebGPU in Node.js: Dawn, from the npm package `webgpu`, which is optional since it occupies 137 MB. */

import { codeOf, messageOf, NativeError } from "../../errors.ts";
import { loadKoffiFor } from "../../koffi.ts";
import type { WebGpu } from "../webgpu/api.ts";

/** Kept for as long as the process runs: a Dawn that is collected takes the process with it, and the loader is used by name. */
const kept: unknown[] = [];

/**
 * Loads Dawn. Throws NativeError without the package, on a system that it does not support, and on Linux without a Vulkan loader, which Dawn would report
 * on standard error.
 */
export async function loadDawn(): Promise<WebGpu> {
  const dawn = await importDawn();
  if (kept.length === 0) requireVulkan();
  const gpu: WebGpu = dawn.create([]);
  kept.push(gpu);
  return gpu;
}

async function importDawn() {
  try {
    return await import("webgpu");
  } catch (cause) {
    if (codeOf(cause) === "ERR_MODULE_NOT_FOUND") {
      throw new NativeError("engine webgpu: the package webgpu is not installed; run: npm install webgpu", { cause });
    }
    throw new NativeError(
      `engine webgpu: the package webgpu cannot be loaded: ${messageOf(cause)}; it needs glibc 2.34, macOS or Windows`,
      { cause },
    );
  }
}

function requireVulkan(): void {
  if (process.platform !== "linux") return;
  try {
    kept.push(loadKoffiFor("engine webgpu", "use --engine wasm").load("libvulkan.so.1"));
  } catch (cause) {
    if (cause instanceof NativeError) throw cause;
    throw new NativeError(
      "engine webgpu: no Vulkan on this system (libvulkan.so.1); install the graphics driver, and on Debian or Ubuntu libvulkan1",
      { cause },
    );
  }
}
