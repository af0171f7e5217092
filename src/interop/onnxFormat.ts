import { open } from "node:fs/promises";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { sizeOf } from "../shape.ts";
import type { ModelFormat } from "./format.ts";
import type { ReadParameter } from "./onnxWrite.ts";

/**
 * ONNX, for ONNX Runtime in any language and in the browser. What this program adds (network, classes, preprocessing) stands in the metadata.
 */
export const onnxFormat: ModelFormat = {
  name: "onnx",
  description: "the network as a graph, opset 13, any number of images, logits; for ONNX Runtime",
  endings: [".onnx"],
  names: "layers",
  flags: [
    { name: "decompose-lrn", description: "onnx: LRN from other operators, for runtimes without it" },
    { name: "probabilities", description: "onnx: end in softmax" },
    { name: "pixels", description: "onnx: take 8-bit pixels [N, H, W, C] of the input's size, and scale them inside" },
  ],
  async write(path, model, weights, flags) {
    const { writeOnnx } = await import("./onnxWrite.ts");
    const { network, classNames, preprocessing } = model;
    const file = writeOnnx(network, readingInto(weights), {
      classNames,
      preprocessing,
      lrn: flags.has("decompose-lrn") ? "decomposed" : "native",
      output: flags.has("probabilities") ? "probabilities" : "logits",
      pixels: flags.has("pixels") ? "nhwc" : undefined,
    });
    const handle = await open(path, "w");
    try {
      for await (const chunk of file.chunks) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async read(path) {
    const { readOnnxFile } = await import("./onnxRead.ts");
    const { importedFile } = await import("./importedFile.ts");
    return importedFile(path, await readOnnxFile(path));
  },
};

/** Reads each into the same memory. */
function readingInto(weights: TensorSource): ReadParameter {
  const sizes = new Map(weights.tensors.map(({ name, shape }) => [name, sizeOf(shape)]));
  const memory = new Float32Array(Math.max(0, ...sizes.values()));
  return (name) => weights.read(name, memory.subarray(0, sizes.get(name)));
}
