/** The worker that computes with ONNX Runtime, inference in f32; the package is where the last argument but one says. */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { sizeOf } from "../../src/shape.ts";
import { encodeOnnxModel, INPUT, OUTPUT } from "./onnxModel.ts";
import { CHECKED_IMAGES, type Computation, serve, type WorkerRequest } from "./protocol.ts";
import { readChain, readImages } from "./workload.ts";

/** What is used of onnxruntime-node, which is no dependency of this project and so brings no types. */
interface OnnxRuntime {
  readonly InferenceSession: { create(path: string, options: object): Promise<Session> };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => object;
  readonly env: { readonly versions: { readonly node?: string } };
}

interface Session {
  run(feeds: Readonly<Record<string, object>>): Promise<Readonly<Record<string, { readonly data: Float32Array }>>>;
}

async function compute({ folder, batchSize, threads }: WorkerRequest): Promise<Computation> {
  const runtime: OnnxRuntime = createRequire(join(process.argv.at(-2) ?? "", "from"))("onnxruntime-node");
  const { ops, inputShape } = readChain(folder);
  const path = join(folder, "model.onnx");
  writeFileSync(path, encodeOnnxModel(ops, inputShape, batchSize));
  const session = await runtime.InferenceSession.create(path, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    graphOptimizationLevel: "all",
  });
  const pixels = new Float32Array(batchSize * sizeOf(inputShape));
  readImages(folder, pixels);
  const images = new runtime.Tensor("float32", pixels, [batchSize, ...inputShape]);
  const run = async () => (await session.run({ [INPUT]: images }))[OUTPUT]?.data ?? new Float32Array();
  return {
    description: `ONNX Runtime ${runtime.env.versions.node}`,
    async step() {
      await run();
    },
    async check() {
      const classes = sizeOf(ops.at(-1)?.outputShape ?? []);
      return (await run()).subarray(0, Math.min(CHECKED_IMAGES, batchSize) * classes);
    },
  };
}

await serve(compute);
