/** Peers that npm installs in the user's cache, pinned to a version: ONNX Runtime, and the runtimes in WebAssembly and on graphics adapters. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { npmTool } from "../../scripts/ci/npmTools.ts";
import type { InferencePrecision } from "../../src/engine/engine.ts";
import { AlexNetError, messageOf } from "../../src/errors.ts";
import type { BrowserAdapter } from "./browserAdapter.ts";
import { requireInference } from "./onnxComputation.ts";
import { type PageProgram, startPage } from "./pageWorker.ts";
import type { ComputeRequest } from "./protocol.ts";
import { startScript, type Variant } from "./variants.ts";

/** Packages of npm. */
export const npmPeers = {
  onnxRuntime: ["onnxruntime-node", "1.30.0"],
  tfjsWasm: ["@tensorflow/tfjs-backend-wasm", "4.22.0"],
  tfjsWebGpu: ["@tensorflow/tfjs-backend-webgpu", "4.22.0"],
  jax: ["@jax-js/jax", "0.1.25"],
} as const;

/** Throws AlexNetError if npm cannot install it. Install scripts, which would download other libraries, are not run. */
function installed([name, version]: readonly [name: string, version: string]): string {
  try {
    return npmTool(name, version);
  } catch (cause) {
    throw new AlexNetError(`${name} ${version}: npm cannot install it: ${messageOf(cause)}`, { cause });
  }
}

const peer = (name: string, precision: InferencePrecision) =>
  ({ name, precision, isPeer: true, dropout: "none" }) as const;

function npmVariant(name: string, worker: string, location: () => string, precision: InferencePrecision): Variant {
  return {
    ...peer(name, precision),
    start: async (request) => startScript(worker, location(), request),
  };
}

/** ONNX Runtime for inference in f32 and int8. */
export function onnxRuntimeVariants(precisions: readonly InferencePrecision[]): readonly Variant[] {
  return precisions
    .filter((precision) => precision !== "bf16")
    .map((precision) => npmVariant("ONNX Runtime", "onnxWorker.ts", () => installed(npmPeers.onnxRuntime), precision));
}

const { resolve } = createRequire(import.meta.url);

/** ONNX Runtime in WebAssembly, a development dependency of this project. */
export function onnxRuntimeWasm(): Variant {
  return npmVariant("onnxruntime-web", "onnxWorker.ts", () => resolve("onnxruntime-web/wasm"), "f32");
}

/** TensorFlow.js in WebAssembly. */
export function tensorFlowWasm(): Variant {
  return npmVariant("tfjs-wasm", "tfjsWorker.ts", () => installed(npmPeers.tfjsWasm), "f32");
}

/** jax-js in WebAssembly. */
export function jaxWasm(): Variant {
  return npmVariant("jax-js", "jaxWorker.ts", () => installed(npmPeers.jax), "f32");
}

/** A peer in a page of Chromium. `accept` throws for a request that it cannot compute. */
function pageVariant(
  name: string,
  { args }: BrowserAdapter,
  program: () => PageProgram,
  accept: (request: ComputeRequest) => void = () => undefined,
): Variant {
  return {
    ...peer(name, "f32"),
    async start(request) {
      accept(request);
      return startPage(program(), request, args);
    },
  };
}

/** ONNX Runtime by its execution provider `webgpu`, for inference. */
export function onnxRuntimeWebGpu(adapter: BrowserAdapter): Variant {
  const program = () => ({
    imports: 'import * as library from "onnxruntime-web/webgpu";',
    folder: fileURLToPath(new URL(".", import.meta.url)),
    computation: "onnxPage.ts",
    files: dirname(resolve("onnxruntime-web/webgpu")),
  });
  return pageVariant("onnxruntime-web", adapter, program, requireInference);
}

/** TensorFlow.js by its backend `webgpu`. */
export function tensorFlowWebGpu(adapter: BrowserAdapter): Variant {
  return pageVariant("tfjs-webgpu", adapter, () => ({
    imports: `
      import "@tensorflow/tfjs-core/dist/register_all_gradients";
      import "@tensorflow/tfjs-backend-webgpu";
      import * as library from "@tensorflow/tfjs-core";`,
    folder: installed(npmPeers.tfjsWebGpu),
    computation: "tfjsComputation.ts",
  }));
}

/** jax-js on its device `webgpu`. */
export function jaxWebGpu(adapter: BrowserAdapter): Variant {
  return pageVariant("jax-js", adapter, () => ({
    imports:
      'import * as jax from "@jax-js/jax"; import { version } from "./package.json"; const library = { ...jax, version };',
    folder: installed(npmPeers.jax),
    computation: "jaxComputation.ts",
  }));
}
