/** Worker that computes with ONNX Runtime: natively or in WebAssembly. The last argument but one is the location of its package. */
import { createWriteStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { createOneDnnEngine } from "../../src/engine/onednn/onednn.ts";
import { calibrateWorkload } from "./int8.ts";
import { serveLines, workerSetting } from "./nodeWorker.ts";
import { createOnnx, modelOf, type OnnxRuntime, requireInference } from "./onnxComputation.ts";
import type { ComputeRequest } from "./protocol.ts";
import type { Workload } from "./workload.ts";
import { openFolder } from "./workloadFolder.ts";

async function writeModel(path: string, workload: Workload, { batchSize, precision }: ComputeRequest): Promise<void> {
  const options = precision === "int8" ? { quantization: await calibrate(workload) } : { batchSize };
  await pipeline(modelOf(workload, options).chunks, createWriteStream(path));
}

async function calibrate(workload: Workload) {
  const engine = createOneDnnEngine();
  try {
    return await calibrateWorkload(workload, engine);
  } finally {
    engine.close();
  }
}

await serveLines(async ({ folder, ...request }) => {
  requireInference(request);
  const runtime: OnnxRuntime = createRequire(import.meta.url)(workerSetting());
  const isWeb = runtime.env.versions.web !== undefined;
  if (isWeb) {
    runtime.env.wasm.wasmPaths = `${pathToFileURL(dirname(workerSetting())).href}/`;
    runtime.env.wasm.numThreads = request.threads;
  }
  const workload = await openFolder(folder);
  const path = join(folder, `model-${request.precision}.onnx`);
  await writeModel(path, workload, request);
  return createOnnx(runtime, isWeb ? "wasm" : "cpu", isWeb ? readFileSync(path) : path, workload, request);
});
