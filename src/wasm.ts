/**
 * `alexnet/wasm`: the engine that runs anywhere, generated WebAssembly with SIMD and threads, for Node.js, browsers and workers.
 *
 * @module alexnet/wasm
 */

export type { Engine, Precision, PrecisionSupport } from "./engine/engine.ts";
export { createWasmEngine, type WasmOptions } from "./engine/wasm/wasm.ts";
export { ClosedError, ConfigError, NativeError, ShapeError, UnimplementedError } from "./errors.ts";
