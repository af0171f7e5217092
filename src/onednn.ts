/**
 * `alexnet/onednn`: the engine at native speed, oneDNN through FFI, for Node.js on Linux and macOS.
 *
 * @module alexnet/onednn
 */

export type { Engine, Precision, PrecisionSupport } from "./engine/engine.ts";
export { createOneDnnEngine, type OneDnnOptions } from "./engine/onednn/onednn.ts";
export { ClosedError, ConfigError, NativeError, ShapeError, UnimplementedError } from "./errors.ts";
