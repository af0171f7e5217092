/** List of file formats. The code of each is loaded on first use. */

import type { Model } from "../checkpoint/metadata.ts";
import { readingInto } from "../checkpoint/safetensorsWriter.ts";
import { ConfigError } from "../errors.ts";
import type { ModelFile, ModelFormat } from "./format.ts";
import type { OnnxOptions } from "./onnx/describe.ts";

/**
 * Weights for other programs, readable by `safetensors.torch.load_file`. Network, classes and preprocessing are in the metadata, so this
 * program reads its own files without further options.
 */
const safetensorsFormat: ModelFormat = {
  name: "safetensors",
  description: "weights and their description, f32; PyTorch reads it with the package safetensors",
  endings: [".safetensors"],
  async write(path, model, weights) {
    const { encodeModel } = await import("../checkpoint/metadata.ts");
    const { writeSafetensors } = await import("../checkpoint/safetensorsWriter.ts");
    // Some Python programs require this entry.
    await writeSafetensors(path, { format: "pt", ...encodeModel(model, 0) }, weights);
  },
  async read(path): Promise<ModelFile> {
    const { decodeModel, isOwnMetadata } = await import("../checkpoint/metadata.ts");
    const { openSafetensors } = await import("../checkpoint/safetensorsReader.ts");
    const reader = await openSafetensors(path);
    try {
      await reader.verify();
      const { tensors } = reader;
      const weights = { tensors, read: (name: string, into: Float32Array) => reader.read(name, into) };
      const said = isOwnMetadata(reader.header.metadata) ? { head: "softmax" as const, ...decodeModel(reader) } : {};
      return { path, weights, ...said, close: () => reader.close() };
    } catch (error) {
      await reader.close();
      throw error;
    }
  },
};

/** A state dict, readable by `torch.load(FILE, weights_only=True)`. Reads any checkpoint that contains one. */
const pytorchFormat: ModelFormat = {
  name: "pytorch",
  description: "a state dict, f32, for torch.load and load_state_dict",
  endings: [".pth", ".pt", ".bin"],
  async write(path, _model, weights) {
    const { writePytorch } = await import("./pytorch/writePytorch.ts");
    await writePytorch(path, weights);
  },
  choosesWeights: true,
  async read(path, { weights: choice } = {}) {
    const { openBytes } = await import("./containers/byteSource.ts");
    const { readPytorch } = await import("./pytorch/readPytorch.ts");
    const source = await openBytes(path);
    try {
      const { tensors, read, note } = await readPytorch(source, choice);
      return { path, weights: { tensors, read }, ...(note && { notes: [note] }), close: () => source.close() };
    } catch (error) {
      await source.close();
      throw error;
    }
  },
};

/** ONNX, for ONNX Runtime in any language and in browsers. Network, classes and preprocessing are in the metadata. */
const onnxFormat: ModelFormat = {
  name: "onnx",
  description: "the network as a graph, opset 13, any number of images, logits; for ONNX Runtime",
  endings: [".onnx"],
  names: "layers",
  flags: [
    { name: "decompose-lrn", description: "onnx: build LRN from other operators, for runtimes without it" },
    { name: "probabilities", description: "onnx: include the model's head, softmax or sigmoid" },
    {
      name: "pixels",
      description: "onnx: accept 8-bit pixels [N, H, W, C] of the input's size and normalize them in the graph",
    },
  ],
  async write(path, model, weights, { flags, quantization }) {
    const { writeOnnxFile } = await import("./onnx/writeOnnxFile.ts");
    const options = { ...optionsFor(model, flags), quantization };
    await writeOnnxFile(path, model.network, readingInto(weights), options);
  },
  async f32Bytes(model, flags) {
    const { writeOnnx } = await import("./onnx/writeOnnx.ts");
    const unread = () => new Float32Array();
    return writeOnnx(model.network, unread, optionsFor(model, flags)).byteLength;
  },
  async read(path, { inputSize } = {}) {
    const { readOnnxFile } = await import("./onnx/readOnnx.ts");
    const { importedFile } = await import("./importedModel.ts");
    return importedFile(path, await readOnnxFile(path, { inputSize }));
  },
};

function optionsFor(
  { classNames, temperature, thresholds, preprocessing, head }: Model,
  flags: ReadonlySet<string>,
): OnnxOptions {
  return {
    head,
    classNames,
    temperature,
    thresholds,
    preprocessing,
    lrn: flags.has("decompose-lrn") ? "decomposed" : "native",
    output: flags.has("probabilities") ? "probabilities" : "logits",
    pixels: flags.has("pixels") ? "nhwc" : undefined,
  };
}

/** Caffe's trained networks, such as those of its model zoo; read only. Images are preprocessed like in Caffe's own programs. */
const caffeFormat: ModelFormat = {
  name: "caffe",
  description: "a .caffemodel of BVLC Caffe",
  endings: [".caffemodel"],
  async read(path, { inputSize } = {}) {
    const { readCaffeFile } = await import("./caffe/readCaffe.ts");
    const { importedFile } = await import("./importedModel.ts");
    return importedFile(path, await readCaffeFile(path, { inputSize }));
  },
};

/** A folder for transformers.js; `huggingFace.ts` reads it, and others of its kind. */
const huggingFaceFormat: ModelFormat = {
  name: "huggingface",
  description:
    "a folder with ONNX, class names, preprocessing and a model card, for transformers.js and the Hugging Face Hub",
  endings: [],
  isFolder: true,
  names: "layers",
  async write(path, model, weights, { training }) {
    const { writeHuggingFace } = await import("./huggingFaceFolder.ts");
    await writeHuggingFace(path, model, weights, training);
  },
};

/** All formats. */
export const formats: readonly ModelFormat[] = [
  safetensorsFormat,
  pytorchFormat,
  onnxFormat,
  caffeFormat,
  huggingFaceFormat,
];

/** A format with the requested ability. */
export type FormatWith<K extends "read" | "write"> = ModelFormat & Required<Pick<ModelFormat, K>>;

/** Formats that can be written, or read. */
export function formatsThat<K extends "read" | "write">(action: K): readonly FormatWith<K>[] {
  return formats.filter((format): format is FormatWith<K> => format[action] !== undefined);
}

/** Finds a format by name, or by the file's extension if no name is given. Throws ConfigError with the known formats. */
export function findFormat<K extends "read" | "write">(action: K, file: string, name?: string): FormatWith<K> {
  const able = formatsThat(action);
  const found = able.find((format) =>
    name === undefined ? format.endings.some((ending) => file.toLowerCase().endsWith(ending)) : format.name === name,
  );
  if (found) return found;
  const known = able
    .map(({ name: each, endings }) => (endings.length > 0 ? `${each} (${endings.join(", ")})` : each))
    .join(", ");
  throw new ConfigError(
    name === undefined
      ? `${file}: unknown file extension; choose a format with --format (one of ${known})`
      : `unknown format "${name}"; expected one of ${known}`,
  );
}
