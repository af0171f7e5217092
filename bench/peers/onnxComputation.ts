/** Computes inference with ONNX Runtime. */
import { ConfigError } from "../../src/errors.ts";
import type { OnnxOptions } from "../../src/formats/onnx/describe.ts";
import { type OnnxFile, writeOnnx } from "../../src/formats/onnx/writeOnnx.ts";
import { isStochastic } from "../../src/network/network.ts";
import type { Device } from "./library.ts";
import { CHECKED_IMAGES, type Computation, type ComputeRequest } from "./protocol.ts";
import { readBatch, type Workload } from "./workload.ts";

/** Types of the used part of onnxruntime-node, which is not a dependency of this project, and of onnxruntime-web. */
export interface OnnxRuntime {
  readonly InferenceSession: { create(model: string | Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => object;
  readonly env: {
    readonly versions: { readonly node?: string; readonly web?: string };
    readonly wasm: { wasmPaths?: string | { readonly wasm: string }; numThreads?: number };
  };
}

interface Session {
  run(feeds: Readonly<Record<string, object>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
}

/** The workload's network as an ONNX model, like that of `alexnet export`. */
export function modelOf({ chain, readParameters }: Workload, options: OnnxOptions): OnnxFile {
  const { network } = chain;
  if (isStochastic(network)) throw new ConfigError(`${network.name}: dropout at evaluation is not written to ONNX`);
  const values = readParameters();
  const read = async (name: string) => {
    // A file contains its parameters in the chain's order.
    const next = await values.next();
    if (next.done || next.value.name !== name) throw new Error(`${name}: expected the next parameter of the file`);
    return next.value.values;
  };
  return writeOnnx(network, read, options);
}

/** Throws ConfigError for training. */
export function requireInference({ mode }: ComputeRequest): void {
  if (mode === "train") throw new ConfigError("its packages for Node.js and browsers cannot train");
}

/** Creates a computation of a model, from a file or its bytes. */
export async function createOnnx(
  runtime: OnnxRuntime,
  device: Device | "cpu",
  model: string | Uint8Array,
  workload: Workload,
  { batchSize, threads }: ComputeRequest,
): Promise<Computation> {
  const { inputShape, classes } = workload.chain;
  const session = await runtime.InferenceSession.create(model, {
    executionProviders: [device],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });
  const tensorOf = (pixels: Float32Array) => new runtime.Tensor("float32", pixels, [batchSize, ...inputShape]);
  const images = tensorOf(await readBatch(workload, batchSize));
  const run = async (of: object) => (await session.run({ images: of }))["logits"]?.data ?? new Float32Array();
  return {
    description: `ONNX Runtime ${runtime.env.versions.web ?? runtime.env.versions.node}`,
    async step() {
      await run(images);
    },
    async check() {
      const logits = await run(tensorOf(await readBatch(workload, batchSize, true)));
      return { logits: Array.from(logits.subarray(0, Math.min(CHECKED_IMAGES, batchSize) * classes)) };
    },
  };
}
