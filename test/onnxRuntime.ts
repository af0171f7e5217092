/** Networks written to ONNX and run in ONNX Runtime. */
import { createRequire } from "node:module";
import type * as Runtime from "onnxruntime-common";
import type { OnnxFile } from "../src/formats/onnx/writeOnnx.ts";

/** The package's own types are those of the package that it shares with other platforms. */
const { InferenceSession, Tensor } = createRequire(import.meta.url)("onnxruntime-node") as typeof Runtime;

/** All bytes of a file that was to be written in pieces. */
export async function bytesOf({ byteLength, chunks }: OnnxFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(byteLength);
  let offset = 0;
  for await (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  if (offset !== byteLength) throw new Error(`test: expected ${byteLength} bytes, got ${offset}`);
  return bytes;
}

/** The one output of a model with one input. */
export async function runOnnx(
  model: Uint8Array,
  input: Float32Array | Uint8Array,
  shape: readonly number[],
  options: Runtime.InferenceSession.SessionOptions = {},
): Promise<Float32Array> {
  const session = await InferenceSession.create(model, options);
  try {
    const [name = ""] = session.inputNames;
    const tensor =
      input instanceof Float32Array ? new Tensor("float32", input, shape) : new Tensor("uint8", input, shape);
    const results = await session.run({ [name]: tensor });
    return results[session.outputNames[0] ?? ""]?.data as Float32Array;
  } finally {
    await session.release();
  }
}

/** As `runOnnx`, node by node as the file says: rounded numbers are multiplied in f32. */
export async function runOnnxUnoptimized(...[model, input, shape]: Parameters<typeof runOnnx>): Promise<Float32Array> {
  return runOnnx(model, input, shape, { graphOptimizationLevel: "disabled" });
}
