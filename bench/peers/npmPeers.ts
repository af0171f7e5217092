/** Peers that npm installs in the user's cache, pinned to a version: ONNX Runtime, and the runtimes in WebAssembly. */
import { createRequire } from "node:module";
import { npmTool } from "../../scripts/ci/npmTools.ts";
import type { InferencePrecision } from "../../src/engine/engine.ts";
import { AlexNetError, messageOf } from "../../src/errors.ts";
import type { WorkerRequest } from "./protocol.ts";
import { nodeCommand, type Variant } from "./variants.ts";

/** Throws AlexNetError if npm cannot install it. Install scripts, which would download other libraries, are not run. */
function installed(name: string, version: string): string {
  try {
    return npmTool(name, version);
  } catch (cause) {
    throw new AlexNetError(`${name} ${version}: npm cannot install it: ${messageOf(cause)}`, { cause });
  }
}

function npmVariant(name: string, worker: string, location: () => string, precision: InferencePrecision): Variant {
  return {
    name,
    precision,
    isPeer: true,
    dropout: "none",
    command: (request: WorkerRequest) => nodeCommand(worker, location(), request),
  };
}

/** ONNX Runtime for inference in f32 and int8. */
export function onnxRuntimeVariants(precisions: readonly InferencePrecision[]): readonly Variant[] {
  const location = () => installed("onnxruntime-node", "1.30.0");
  return precisions
    .filter((precision) => precision !== "bf16")
    .map((precision) => npmVariant("ONNX Runtime", "onnxWorker.ts", location, precision));
}

/** ONNX Runtime in WebAssembly, a development dependency of this project. */
export function onnxRuntimeWeb(): Variant {
  const location = () => createRequire(import.meta.url).resolve("onnxruntime-web/wasm");
  return npmVariant("onnxruntime-web", "onnxWorker.ts", location, "f32");
}

/** TensorFlow.js in WebAssembly. */
export function tensorFlowJs(): Variant {
  const location = () => installed("@tensorflow/tfjs-backend-wasm", "4.22.0");
  return npmVariant("tfjs-wasm", "tfjsWorker.ts", location, "f32");
}

/** jax-js in WebAssembly. */
export function jaxJs(): Variant {
  return npmVariant("jax-js", "jaxWorker.ts", () => installed("@jax-js/jax", "0.1.25"), "f32");
}
