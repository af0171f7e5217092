/** ONNX Runtime in a page. */
import type { Create } from "./library.ts";
import { createOnnx, modelOf, type OnnxRuntime } from "./onnxComputation.ts";

/** Creates a computation by onnxruntime-web. The page's server has the package's files in /library/. */
export const create: Create<OnnxRuntime> = async (runtime, device, workload, request) => {
  runtime.env.wasm.wasmPaths = { wasm: "/library/ort-wasm-simd-threaded.asyncify.wasm" };
  runtime.env.wasm.numThreads = 1;
  const { byteLength, chunks } = modelOf(workload, { batchSize: request.batchSize });
  const model = new Uint8Array(byteLength);
  let offset = 0;
  for await (const chunk of chunks) {
    model.set(chunk, offset);
    offset += chunk.length;
  }
  return createOnnx(runtime, device, model, workload, request);
};
