/** Networks rounded to 8 bits, and their exported files in ONNX Runtime. */
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import type { OnnxOptions } from "../src/formats/onnx/describe.ts";
import { writeOnnx } from "../src/formats/onnx/writeOnnx.ts";
import { planQuantization } from "../src/formats/quantization.ts";
import { openInt8Network } from "../src/model/int8Network.ts";
import type { Network } from "../src/network/network.ts";
import { sizeOf } from "../src/shape.ts";
import { norm } from "./assertClose.ts";
import { noDraws } from "./chains.ts";
import { drawn } from "./golden.ts";
import type { Weighted } from "./onnxNetworks.ts";
import { bytesOf, runOnnx } from "./onnxRuntime.ts";

/** Outputs for the same images: in f32, rounded in f32, and of the exported file in ONNX Runtime; with the file and its scheme. */
export async function roundedTo8Bits({ network, values }: Weighted, images: Float32Array, options: OnnxOptions = {}) {
  const count = images.length / sizeOf(network.input);
  const read = (name: string) => (values.get(name) as Float32Array).slice();
  const engine = createOneDnnEngine();
  const weights = { tensors: [], read: async (name: string) => read(name) };
  const rounded = await openInt8Network(network, weights, engine, count);
  try {
    const f32 = (await rounded.forward(images, count, noDraws)).slice();
    const calibration = { dataset: "drawn", images: count };
    const quantization = await planQuantization(network, rounded.takeRanges(), read, calibration);
    await rounded.round(quantization);
    const simulated = (await rounded.forward(images, count, noDraws)).slice();
    const file = await bytesOf(writeOnnx(network, read, { ...options, quantization }));
    const runtime = await runOnnx(file, images, [count, ...network.input]);
    return { f32, simulated, runtime, file, quantization };
  } finally {
    rounded.close();
    engine.close();
  }
}

/** L2 norm of the difference. */
export function distance(a: Float32Array, b: Float32Array): number {
  return norm(a.map((value, i) => value - (b[i] as number)));
}

export function imagesFor({ input }: Network, count: number): Float32Array {
  return drawn(5, "images", count * sizeOf(input), -2, 2.5);
}
