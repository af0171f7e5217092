/**
 * Caffe's messages that this program reads, with field numbers. Tables of layer parameters are complete, so that unknown fields are
 * detected.
 *
 * Source: src/caffe/proto/caffe.proto of BVLC Caffe, https://github.com/BVLC/caffe.
 */
import { type Message, many, manyMessages, one, oneMessage, unknownFields } from "../containers/protobuf.ts";

export const shapeTable = { dim: many(1, "int") };

export const blobTable = {
  num: one(1, "int"),
  channels: one(2, "int"),
  height: one(3, "int"),
  width: one(4, "int"),
  /** Packed: four bytes each. */
  data: many(5, "bytes"),
  shape: oneMessage(7, () => shapeTable),
  doubleData: many(8, "bytes"),
};

const ruleTable = { phase: one(1, "int"), unknown: unknownFields() };

export const convolutionTable = {
  numOutput: one(1, "int"),
  biasTerm: one(2, "int"),
  pad: many(3, "int"),
  kernelSize: many(4, "int"),
  group: one(5, "int"),
  stride: many(6, "int"),
  weightFiller: one(7, "bytes"),
  biasFiller: one(8, "bytes"),
  padH: one(9, "int"),
  padW: one(10, "int"),
  kernelH: one(11, "int"),
  kernelW: one(12, "int"),
  strideH: one(13, "int"),
  strideW: one(14, "int"),
  engine: one(15, "int"),
  axis: one(16, "int"),
  forceNd: one(17, "int"),
  dilation: many(18, "int"),
  unknown: unknownFields(),
};

export const poolingTable = {
  pool: one(1, "int"),
  kernelSize: one(2, "int"),
  stride: one(3, "int"),
  pad: one(4, "int"),
  kernelH: one(5, "int"),
  kernelW: one(6, "int"),
  strideH: one(7, "int"),
  strideW: one(8, "int"),
  padH: one(9, "int"),
  padW: one(10, "int"),
  engine: one(11, "int"),
  globalPooling: one(12, "int"),
  roundMode: one(13, "int"),
  unknown: unknownFields(),
};

export const linearTable = {
  numOutput: one(1, "int"),
  biasTerm: one(2, "int"),
  weightFiller: one(3, "bytes"),
  biasFiller: one(4, "bytes"),
  axis: one(5, "int"),
  transpose: one(6, "int"),
  unknown: unknownFields(),
};

export const normTable = {
  localSize: one(1, "int"),
  alpha: one(2, "float"),
  beta: one(3, "float"),
  region: one(4, "int"),
  k: one(5, "float"),
  engine: one(6, "int"),
  unknown: unknownFields(),
};

export const dropoutTable = { ratio: one(1, "float"), scaleTrain: one(2, "int"), unknown: unknownFields() };
export const reluTable = { negativeSlope: one(1, "float"), engine: one(2, "int"), unknown: unknownFields() };
export const softmaxTable = { engine: one(1, "int"), axis: one(2, "int"), unknown: unknownFields() };
export const flattenTable = { axis: one(1, "int"), endAxis: one(2, "int"), unknown: unknownFields() };
export const inputTable = { shape: manyMessages(1, () => shapeTable) };
export const transformTable = {
  scale: one(1, "float"),
  cropSize: one(3, "int"),
  meanFile: one(4, "text"),
  meanValue: many(5, "float"),
};

/** Layer format since 2014. */
export const layerTable = {
  name: one(1, "text"),
  type: one(2, "text"),
  bottom: many(3, "text"),
  top: many(4, "text"),
  blobs: manyMessages(7, () => blobTable),
  include: manyMessages(8, () => ruleTable),
  exclude: manyMessages(9, () => ruleTable),
  transform: oneMessage(100, () => transformTable),
  convolution: oneMessage(106, () => convolutionTable),
  dropout: oneMessage(108, () => dropoutTable),
  linear: oneMessage(117, () => linearTable),
  norm: oneMessage(118, () => normTable),
  pooling: oneMessage(121, () => poolingTable),
  relu: oneMessage(123, () => reluTable),
  softmax: oneMessage(125, () => softmaxTable),
  flatten: oneMessage(135, () => flattenTable),
  input: oneMessage(143, () => inputTable),
};

/** Layer format before 2014, used by the published models. */
export const v1LayerTable = {
  older: one(1, "bytes"),
  bottom: many(2, "text"),
  top: many(3, "text"),
  name: one(4, "text"),
  type: one(5, "int"),
  blobs: manyMessages(6, () => blobTable),
  convolution: oneMessage(10, () => convolutionTable),
  dropout: oneMessage(12, () => dropoutTable),
  linear: oneMessage(17, () => linearTable),
  norm: oneMessage(18, () => normTable),
  pooling: oneMessage(19, () => poolingTable),
  relu: oneMessage(30, () => reluTable),
  include: manyMessages(32, () => ruleTable),
  exclude: manyMessages(33, () => ruleTable),
  transform: oneMessage(36, () => transformTable),
  softmax: oneMessage(39, () => softmaxTable),
};

export const netTable = {
  name: one(1, "text"),
  layersV1: manyMessages(2, () => v1LayerTable),
  input: many(3, "text"),
  inputDim: many(4, "int"),
  inputShape: manyMessages(8, () => shapeTable),
  layers: manyMessages(100, () => layerTable),
};

/** V1LayerParameter.LayerType by the later layer names. */
export const v1Types: Readonly<Record<number, string>> = {
  1: "Accuracy",
  4: "Convolution",
  5: "Data",
  6: "Dropout",
  8: "Flatten",
  12: "ImageData",
  14: "InnerProduct",
  15: "LRN",
  17: "Pooling",
  18: "ReLU",
  19: "Sigmoid",
  20: "Softmax",
  21: "SoftmaxWithLoss",
  22: "Split",
  23: "TanH",
  24: "WindowData",
  27: "SigmoidCrossEntropyLoss",
  29: "MemoryData",
};

/** A tensor as stored. */
export type BlobMessage = Message<typeof blobTable>;
/** A layer as stored. */
export type LayerMessage = Message<typeof layerTable>;
/** A network as stored. */
export type CaffeNet = Message<typeof netTable>;
