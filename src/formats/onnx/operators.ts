/**
 * Conversion of each ONNX operator. Longer than other files: one table of all operators.
 *
 * Source: https://github.com/onnx/onnx/blob/main/docs/Operators.md and Changelog.md, versions 6 to 25.
 */
import { dropout, flatten, localResponseNorm, relu, sigmoid, tanh } from "../../layers/kinds.ts";
import type { AnyLayer } from "../../layers/layer.ts";
import { sizeOf } from "../../shape.ts";
import { addLinear, type ChainBuilder } from "../chainBuilder.ts";
import { addConvolution } from "../fileConvolution.ts";
import { addAveragePool, addGlobalAverage, addMaxPool, squarePool } from "../pooling.ts";
import { transposed } from "../values.ts";
import { type NodeView, windowOf } from "./node.ts";
import type { OnnxTensor } from "./tensors.ts";

/** Adds a node's layers to the chain. Throws UnsupportedError with operator and attribute if no layers are equivalent. */
export type OperatorReader = (node: NodeView, chain: ChainBuilder) => void;

export const operatorReaders: Readonly<Record<string, OperatorReader>> = {
  Conv: readConv,
  Relu: (node, chain) => chain.add(relu(layerName(node, chain, "relu")) as AnyLayer),
  Tanh: (node, chain) => chain.add(tanh(layerName(node, chain, "tanh")) as AnyLayer),
  Sigmoid: (node, chain) => chain.add(sigmoid(layerName(node, chain, "sigmoid")) as AnyLayer),
  LRN: readLrn,
  MaxPool: readMaxPool,
  AveragePool: readAveragePool,
  GlobalAveragePool(node, chain) {
    requireMaps(node, chain);
    addGlobalAverage(chain, layerName(node, chain, "average"));
  },
  Gemm: readGemm,
  MatMul: readMatMul,
  Add: readAdd,
  Flatten: readFlatten,
  Reshape: readReshape,
  Dropout: readDropout,
  BatchNormalization: readBatchNormalization,
  Identity() {},
  Softmax: readSoftmax,
  // softmax (log softmax x) = softmax x.
  LogSoftmax: readSoftmax,
};

function readSoftmax(node: NodeView, chain: ChainBuilder): void {
  const axis = node.int("axis", node.opset < 13 ? 1 : -1);
  if (axis !== 1 && axis !== -1) throw node.unsupported(`attribute axis ${axis}`);
  chain.endIn("softmax", node.what);
}

/** Name of a layer: that of its weights (`features.0.weight`), else the node's. */
function layerName(node: NodeView, chain: ChainBuilder, kind: string): string {
  const ofWeight = /^(.+)\.weight$/.exec(node.inputName(1))?.[1];
  return chain.unusedName(ofWeight ?? (node.name || kind));
}

function requireMaps(node: NodeView, { shape }: ChainBuilder): void {
  if (shape.length !== 3) throw node.unsupported(`an input of ${shape.length + 1} axes, expected 4`);
}

function readConv(node: NodeView, chain: ChainBuilder): void {
  requireMaps(node, chain);
  const weight = node.need(1);
  const [outChannels = 0, groupChannels = 0, height = 0, width = 0] = weight.shape;
  if (weight.shape.length !== 4) throw node.unsupported(`a weight of ${weight.shape.length} axes, expected 4`);
  const window = windowOf(node, chain.shape, [height, width]);
  const groups = node.int("group", 1);
  const [channels = 0] = chain.shape;
  if (window.kernel[0] !== height || window.kernel[1] !== width) {
    throw node.unsupported(`attribute kernel_shape ${window.kernel.join(", ")} beside a weight of ${height}×${width}`);
  }
  if (groups < 1 || groupChannels * groups !== channels || outChannels % groups !== 0) {
    throw node.unsupported(
      `attribute group ${groups} with weight [${weight.shape.join(", ")}] on ${channels} channels`,
    );
  }
  const name = layerName(node, chain, "conv");
  const bias = biasOf(node, 2, outChannels);
  addConvolution(chain, name, { ...window, outChannels, groups }, weight.floats(), bias, node.what);
}

function biasOf(node: NodeView, place: number, outputs: number): Float32Array | undefined {
  const bias = node.constant(place);
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== outputs)) {
    throw node.unsupported(`a bias [${bias.shape.join(", ")}] for ${outputs} outputs`);
  }
  return bias?.floats();
}

function readLrn(node: NodeView, chain: ChainBuilder): void {
  requireMaps(node, chain);
  const size = node.int("size", 0);
  if (size < 1 || size % 2 === 0) throw node.unsupported(`attribute size ${size}, expected an odd number`);
  const [alpha, beta, k] = [node.float("alpha", 1e-4), node.float("beta", 0.75), node.float("bias", 1)];
  if (![alpha, beta, k].every((value) => value > 0 && value < Infinity))
    throw node.unsupported(`attributes alpha ${alpha}, beta ${beta}, bias ${k}`);
  chain.add(localResponseNorm(layerName(node, chain, "norm"), { size, alpha, beta, k }) as AnyLayer);
}

function readMaxPool(node: NodeView, chain: ChainBuilder): void {
  requireMaps(node, chain);
  const { pool } = poolOf(node, chain);
  node.int("storage_order", 0); // concerns the second output, which must be unused
  addMaxPool(chain, layerName(node, chain, "pool"), pool);
}

function poolOf(node: NodeView, chain: ChainBuilder) {
  const window = { ...windowOf(node, chain.shape), isCeil: node.int("ceil_mode", 0) !== 0 };
  return { window, pool: squarePool(window, chain.shape, node.unsupported) };
}

function readAveragePool(node: NodeView, chain: ChainBuilder): void {
  requireMaps(node, chain);
  const { window, pool } = poolOf(node, chain);
  const isPadded = [...window.padBefore, ...window.padAfter].some((pad) => pad > 0);
  const countsPadding = node.int("count_include_pad", 0) !== 0 && isPadded;
  addAveragePool(chain, layerName(node, chain, "average"), pool, countsPadding, node.unsupported);
}

/** alpha · A · B + beta · C, with A the chain. */
function readGemm(node: NodeView, chain: ChainBuilder): void {
  const [alpha, beta] = [node.float("alpha", 1), node.float("beta", 1)];
  node.only("transA", 0);
  if (node.opset < 7) node.int("broadcast", 0);
  const isTransposed = node.int("transB", 0) !== 0;
  const name = layerName(node, chain, "fc");
  const { weight, inFeatures, outFeatures } = matrixOf(node, isTransposed);
  const bias = node.constant(2);
  const scaled = alpha === 1 ? weight : weight.map((w) => alpha * w);
  const row = bias && rowOf(node, bias, outFeatures).map((b) => beta * b);
  addLinear(chain, name, scaled, inFeatures, row, node.what);
}

function readMatMul(node: NodeView, chain: ChainBuilder): void {
  const { weight, inFeatures } = matrixOf(node, false);
  addLinear(chain, layerName(node, chain, "fc"), weight, inFeatures, undefined, node.what);
}

/** The second input as [outFeatures, inFeatures]. */
function matrixOf(node: NodeView, isTransposed: boolean) {
  const matrix = node.need(1);
  const [rows = 0, columns = 0] = matrix.shape;
  if (matrix.shape.length !== 2) throw node.unsupported(`a matrix of ${matrix.shape.length} axes`);
  const values = matrix.floats();
  if (isTransposed) return { weight: values, inFeatures: columns, outFeatures: rows };
  return { weight: transposed(values, rows, columns), inFeatures: rows, outFeatures: columns };
}

/** The vector added to every row: one number per output. */
function rowOf(node: NodeView, { shape, floats }: OnnxTensor, outputs: number): Float32Array {
  const isRow = shape.slice(0, -1).every((extent) => extent === 1);
  const last = shape.at(-1) ?? 1;
  if (!isRow || shape.length > 2 || (last !== outputs && last !== 1)) {
    throw node.unsupported(`a summand [${shape.join(", ")}] to ${outputs} outputs`);
  }
  const values = floats();
  return last === outputs ? values : new Float32Array(outputs).fill(values[0] as number);
}

/** An Add of a constant, such as a separate bias. */
function readAdd(node: NodeView, chain: ChainBuilder): void {
  const place = node.isConstant(1) ? 1 : 0;
  const addend = node.need(place);
  const [outputs = 1] = chain.shape;
  const axis = node.opset < 7 ? addendAxis(node, addend, chain) : chain.shape.length + 1 - addend.shape.length;
  const extents = addend.shape.map((extent, i) => ({ extent, isChannel: axis + i === 1 }));
  if (axis < 0 || extents.some(({ extent, isChannel }) => extent !== 1 && !(isChannel && extent === outputs))) {
    throw node.unsupported(`a summand [${addend.shape.join(", ")}] to [N, ${chain.shape.join(", ")}]`);
  }
  const values = addend.floats();
  const shift = Float64Array.from({ length: outputs }, (_, o) => values[values.length === 1 ? 0 : o] as number);
  chain.scaleAndShift(layerName(node, chain, "add"), undefined, shift);
}

/** First axis of the second input. Before opset 7 it is `axis`, or follows from aligning the last axes. */
function addendAxis(node: NodeView, { shape }: OnnxTensor, chain: ChainBuilder): number {
  const last = chain.shape.length + 1 - shape.length;
  const axis = node.int("axis", last);
  if (node.int("broadcast", 0) === 0) throw node.unsupported("attribute broadcast 0");
  return axis < 0 ? axis + chain.shape.length + 1 : axis;
}

function readFlatten(node: NodeView, chain: ChainBuilder): void {
  const axis = node.int("axis", 1);
  const axes = chain.shape.length + 1;
  if (axis !== 1 && axis !== 1 - axes) throw node.unsupported(`attribute axis ${axis}, expected 1`);
  addFlatten(node, chain);
}

function addFlatten(node: NodeView, chain: ChainBuilder): void {
  if (chain.shape.length === 1) return;
  chain.add(flatten(layerName(node, chain, "flatten")) as AnyLayer, [sizeOf(chain.shape)]);
}

/** Reshape to [batch, features], or to the current shape. */
function readReshape(node: NodeView, chain: ChainBuilder): void {
  const target = node.need(1).integers();
  node.only("allowzero", 0);
  const features = sizeOf(chain.shape);
  const [batch = 1, ...rest] = target;
  const keepsBatch = batch === 0 || batch === -1 || batch === node.batchSize;
  const known = rest.map((extent, i) => (extent === 0 ? (chain.shape[i] ?? Number.NaN) : extent));
  // With the batch at -1 all other extents must be known; otherwise one of them may be inferred.
  const open = known.filter((extent) => extent === -1).length;
  const product = sizeOf(known.filter((extent) => extent !== -1));
  const fits = open === 0 ? product === features : open === 1 && batch !== -1 && features % product === 0;
  const shape = known.map((extent) => (extent === -1 ? features / product : extent));
  const isSame = shape.length === chain.shape.length && shape.every((extent, i) => extent === chain.shape[i]);
  if (!keepsBatch || !fits || !(isSame || shape.length === 1)) {
    throw node.unsupported(`a shape [${target.join(", ")}] for [N, ${chain.shape.join(", ")}]`);
  }
  if (!isSame) addFlatten(node, chain);
}

function readDropout(node: NodeView, chain: ChainBuilder): void {
  const given = node.opset < 12 ? undefined : node.constant(1);
  const probability = given ? (given.floats()[0] ?? 0.5) : node.float("ratio", 0.5);
  if (node.opset < 7) node.int("is_test", 0);
  node.int("seed", 0);
  if (node.constant(2)?.integers()[0]) throw node.unsupported("training_mode true");
  // Dropout is the identity at evaluation, regardless of its probability.
  if (!(probability >= 0 && probability < 1)) throw node.unsupported(`ratio ${probability}`);
  chain.add(dropout(chain.unusedName(node.name || "dropout"), { probability }) as AnyLayer);
}

/** scale · (x − mean) / √(variance + epsilon) + shift. */
function readBatchNormalization(node: NodeView, chain: ChainBuilder): void {
  const epsilon = node.float("epsilon", 1e-5);
  node.float("momentum", 0.9);
  if (node.opset < 7) node.only("is_test", 1);
  if (node.opset < 7 && !node.has("is_test")) throw node.unsupported("attribute is_test 0");
  if (node.opset < 9) node.only("spatial", 1);
  if (node.opset >= 14) node.only("training_mode", 0);
  const [channels = 1] = chain.shape;
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((place) => biasOf(node, place, channels));
  if (!scale || !bias || !mean || !variance) throw node.unsupported("an omitted input");
  const factors = Float64Array.from(scale, (s, c) => s / Math.sqrt((variance[c] as number) + epsilon));
  const shift = Float64Array.from(bias, (b, c) => b - (mean[c] as number) * (factors[c] as number));
  chain.scaleAndShift(chain.unusedName(node.name || "norm"), factors, shift);
}
