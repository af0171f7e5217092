/** ONNX as a format. */
import { open } from "node:fs/promises";
import type { Model } from "../../checkpoint/metadata.ts";
import { readingInto } from "../../checkpoint/safetensorsWriter.ts";
import type { ModelFormat } from "../format.ts";
import type { OnnxOptions } from "./describe.ts";

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
  async write(path, model, weights, { flags, quantization }) {
    const { writeOnnx } = await import("./writeOnnx.ts");
    const file = writeOnnx(model.network, readingInto(weights), { ...optionsFor(model, flags), quantization });
    const handle = await open(path, "w");
    try {
      for await (const chunk of file.chunks) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async f32Bytes(model, flags) {
    const { writeOnnx } = await import("./writeOnnx.ts");
    const unread = () => new Float32Array();
    return writeOnnx(model.network, unread, optionsFor(model, flags)).byteLength;
  },
  async read(path) {
    const { readOnnxFile } = await import("./readOnnx.ts");
    const { importedFile } = await import("../importedFile.ts");
    return importedFile(path, await readOnnxFile(path));
  },
};

function optionsFor({ classNames, preprocessing }: Model, flags: ReadonlySet<string>): OnnxOptions {
  return {
    classNames,
    preprocessing,
    lrn: flags.has("decompose-lrn") ? "decomposed" : "native",
    output: flags.has("probabilities") ? "probabilities" : "logits",
    pixels: flags.has("pixels") ? "nhwc" : undefined,
  };
}
