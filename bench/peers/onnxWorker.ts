/**
 * Worker that computes with ONNX Runtime, for inference in f32 or int8: natively or in WebAssembly. The last argument but one is the location of its
 * package.
 */
import { createWriteStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";
import { createOneDnnEngine } from "../../src/engine/onednn/onednn.ts";
import { ConfigError } from "../../src/errors.ts";
import { writeOnnx } from "../../src/formats/onnx/writeOnnx.ts";
import { isStochastic } from "../../src/network/network.ts";
import { sizeOf } from "../../src/shape.ts";
import { calibrateWorkload } from "./int8.ts";
import { CHECKED_IMAGES, type Computation, serve, type WorkerRequest, workerSetting } from "./protocol.ts";
import { type Chain, readChain, readFreshImages, readImages, readParameters } from "./workload.ts";

/** Types of the used part of onnxruntime-node, which is not a dependency of this project, and of onnxruntime-web. */
interface OnnxRuntime {
  readonly InferenceSession: { create(model: string | Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => object;
  readonly env: {
    readonly versions: { readonly node?: string; readonly web?: string };
    readonly wasm: { wasmPaths?: string; numThreads?: number };
  };
}

interface Session {
  run(feeds: Readonly<Record<string, object>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
}

/** Writes the chain as an ONNX model for a batch size, like `alexnet export`. */
async function writeModel(path: string, { folder, batchSize, precision }: WorkerRequest, chain: Chain): Promise<void> {
  const { network } = chain;
  if (isStochastic(network)) throw new ConfigError(`${network.name}: dropout at evaluation is not written to ONNX`);
  const values = readParameters(folder, chain, (length) => new Float32Array(length));
  const read = (name: string) => {
    // A file contains its parameters in the chain's order.
    const next = values.next().value;
    if (next?.name !== name) throw new Error(`${name}: expected ${next?.name} to be read first`);
    return next.values;
  };
  const engine = createOneDnnEngine();
  const options =
    precision === "int8" ? { quantization: await calibrateWorkload(folder, chain, engine) } : { batchSize };
  engine.close();
  await pipeline(writeOnnx(network, read, options).chunks, createWriteStream(path));
}

async function compute(request: WorkerRequest): Promise<Computation> {
  const { folder, batchSize, mode, threads, precision } = request;
  if (mode === "train") throw new ConfigError("its packages for Node.js cannot train");
  const runtime: OnnxRuntime = createRequire(import.meta.url)(workerSetting());
  const isWeb = runtime.env.versions.web !== undefined;
  if (isWeb) {
    runtime.env.wasm.wasmPaths = `${pathToFileURL(dirname(workerSetting())).href}/`;
    runtime.env.wasm.numThreads = threads;
  }
  const chain = readChain(folder);
  const { inputShape, classes } = chain;
  const path = join(folder, `model-${precision}.onnx`);
  await writeModel(path, request, chain);
  const session = await runtime.InferenceSession.create(isWeb ? readFileSync(path) : path, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });
  const pixels = new Float32Array(batchSize * sizeOf(inputShape));
  readImages(folder, pixels);
  const images = new runtime.Tensor("float32", pixels, [batchSize, ...inputShape]);
  const run = async () => (await session.run({ images }))["logits"]?.data ?? new Float32Array();
  return {
    description: `ONNX Runtime ${runtime.env.versions.web ?? runtime.env.versions.node}`,
    async step() {
      await run();
    },
    async check() {
      readFreshImages(folder, pixels);
      const logits = Array.from((await run()).subarray(0, Math.min(CHECKED_IMAGES, batchSize) * classes));
      readImages(folder, pixels);
      return { logits };
    },
  };
}

await serve(compute);
