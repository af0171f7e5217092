/** The WebGPU engine of this project in a page. */
/// <reference lib="dom" />
import type { WebGpu } from "../../src/engine/webgpu/api.ts";
import type { createWebGpuEngine } from "../../src/engine/webgpu/webgpu.ts";
import type { Create } from "./library.ts";
import { createOwn } from "./ownComputation.ts";

/** The module of the engine. */
interface EngineModule {
  readonly createWebGpuEngine: typeof createWebGpuEngine;
}

/** Creates a computation by the engine. */
export const create: Create<EngineModule> = async (library, _, workload, request) => {
  const engine = await library.createWebGpuEngine((navigator as unknown as { readonly gpu: WebGpu }).gpu);
  return createOwn({ engine, exact: true }, workload, request);
};
