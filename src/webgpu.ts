/**
 * `alexnet/webgpu`: the engine for graphics processors, for browsers (`navigator.gpu`) and Node.js (`create([])` of the npm package `webgpu`).
 *
 * @module alexnet/webgpu
 */

export type { Engine, Precision, PrecisionSupport } from "./engine/engine.ts";
export type { WebGpu } from "./engine/webgpu/api.ts";
export { createWebGpuEngine, type WebGpuEngine, type WebGpuOptions } from "./engine/webgpu/webgpu.ts";
export { ClosedError, ConfigError, NativeError, ShapeError, UnimplementedError } from "./errors.ts";
