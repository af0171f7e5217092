/**
 * `alexnet/browser`: the complement of `alexnet/core` in a page: the WebAssembly engine, weights files as bytes, ONNX, and class activation.
 *
 * @module alexnet/browser
 */

export type { Engine, Precision, PrecisionSupport } from "./engine/engine.ts";
export { createWasmEngine, type WasmOptions } from "./engine/wasm/wasm.ts";
export { CheckpointError, ClosedError, ConfigError, NativeError, ShapeError, UnimplementedError } from "./errors.ts";
export { type ClassActivation, type ClassActivator, createClassActivator } from "./explain/classActivation.ts";
export type { OnnxOptions } from "./formats/onnx/describe.ts";
export { type OnnxFile, type ReadParameter, writeOnnx } from "./formats/onnx/writeOnnx.ts";
export type { Quantization } from "./formats/quantization.ts";
export { readModelBytes, writeModelBytes } from "./model/modelBytes.ts";
export type { NetworkModel, Weights } from "./model/networkModel.ts";
