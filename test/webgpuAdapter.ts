/** A software adapter for tests of the WebGPU engine: SwiftShader, which Debian's Chromium brings, through the npm package `webgpu`. */
import { existsSync } from "node:fs";
import koffi from "koffi";
import { create } from "webgpu";
import type { GpuDevice, GpuHandle, GpuPipeline, WebGpu } from "../src/engine/webgpu/api.ts";

/** Chromium's folder on Debian, with a Vulkan loader and a driver. */
const CHROMIUM = "/usr/lib/chromium";
const driver = `${CHROMIUM}/vk_swiftshader_icd.json`;
const loader = `${CHROMIUM}/libvulkan.so.1`;

/** Kept: an object of `create` that is collected takes the process with it. */
const held: unknown[] = [];
/** Kept: Dawn asks for the loader by its name only, and finds the one that is loaded. */
const libraries = new Set<unknown>();

/** Why tests on the adapter are skipped; false if they run: where it is, and where `CI` is set, which must have it. */
export function skippedWithoutAdapter(env: NodeJS.ProcessEnv = process.env): string | false {
  if (existsSync(driver) || env["CI"]) return false;
  return `no ${driver}; on Debian: apt-get install chromium`;
}

/** Variables under which a process finds the adapter. */
export const adapterVariables: Readonly<Record<string, string>> = {
  VK_DRIVER_FILES: driver,
  LD_LIBRARY_PATH: CHROMIUM,
};

/** The adapter. Throws Error where `CI` is set and Chromium's driver is missing. */
export function softwareAdapter(): WebGpu {
  if (!existsSync(driver)) throw new Error(`no ${driver}, though CI is set`);
  process.env["VK_DRIVER_FILES"] = driver;
  if (libraries.size === 0 && existsSync(loader)) libraries.add(koffi.load(loader));
  return dawn([]);
}

/** A device that checks WGSL and calls, and computes nothing. */
export const nullAdapter = (): WebGpu => dawn(["backend=null"]);

function dawn(options: string[]): WebGpu {
  const gpu: WebGpu = create(options);
  held.push(gpu);
  return gpu;
}

/** One device for all engines, which compiles each kernel once: SwiftShader takes 0.1 s for a plain one. Closing an engine leaves it open. */
export function sharingOneDevice(gpu: WebGpu): WebGpu {
  let shared: Promise<GpuDevice> | undefined;
  return {
    async requestAdapter() {
      const adapter = await gpu.requestAdapter();
      if (!adapter) return null;
      const requestDevice: typeof adapter.requestDevice = (options) => {
        shared ??= adapter.requestDevice(options).then(withKernelCache);
        return shared;
      };
      return { info: adapter.info, limits: adapter.limits, requestDevice };
    },
  };
}

function withKernelCache(device: GpuDevice): GpuDevice {
  const modules = new Map<string, GpuHandle>();
  const pipelines = new Map<GpuHandle, GpuPipeline>();
  const own: Partial<GpuDevice> = {
    destroy() {},
    createShaderModule({ code }) {
      const known = modules.get(code) ?? device.createShaderModule({ code });
      modules.set(code, known);
      return known;
    },
    createComputePipeline(descriptor) {
      const known = pipelines.get(descriptor.compute.module) ?? device.createComputePipeline(descriptor);
      pipelines.set(descriptor.compute.module, known);
      return known;
    },
    async createComputePipelineAsync(descriptor) {
      const { module } = descriptor.compute;
      const known = pipelines.get(module) ?? (await device.createComputePipelineAsync(descriptor));
      pipelines.set(module, known);
      return known;
    },
  };
  return new Proxy(device, {
    get(target, key) {
      const value = Reflect.get(own, key) ?? Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
}
