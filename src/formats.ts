/**
 * `alexnet/formats`: model files of PyTorch, ONNX, Caffe and safetensors, read and written without a run directory.
 *
 * @module alexnet/formats
 */

export { CheckpointError, ConfigError, DataError, ShapeError, UnsupportedError } from "./errors.ts";
export { type CaffeOptions, readCaffeFile } from "./formats/caffe/readCaffe.ts";
export type { ImportedMetadata, ImportedModel } from "./formats/importedModel.ts";
export type { OnnxOptions } from "./formats/onnx/describe.ts";
export type { OnnxReadOptions } from "./formats/onnx/graphInput.ts";
export { readOnnxFile } from "./formats/onnx/readOnnx.ts";
export { type OnnxFile, type ReadParameter, writeOnnx } from "./formats/onnx/writeOnnx.ts";
export type { Quantization } from "./formats/quantization.ts";
export {
  type NamedTensor,
  type PyTorchReadOptions,
  readPyTorchFile,
  readSafetensorsFile,
  type Tensors,
  weightsOf,
  writePyTorchFile,
  writeSafetensorsFile,
} from "./formats/tensorFiles.ts";
export { readModel, writeModel } from "./model/modelFile.ts";
export type { NetworkModel, Weights } from "./model/networkModel.ts";
