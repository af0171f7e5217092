/**
 * Conversion of each ONNX operator.
 *
 * Source: https://github.com/onnx/onnx/blob/main/docs/Operators.md and Changelog.md, versions 6 to 25.
 */
import { dropout, localResponseNorm, relu, sigmoid, tanh } from "../../layers/kinds.ts";
import type { AnyLayer } from "../../layers/layer.ts";
import type { ChainBuilder } from "../chainBuilder.ts";
import { addConvolution, type FileWindow } from "../fileConvolution.ts";
import { addAveragePool, addGlobalAverage, addMaxPool, squarePool } from "../pooling.ts";
import { transposed } from "../values.ts";
import { affineReaders } from "./affineOperators.ts";
import type { NodeView } from "./node.ts";
import { biasOf, layerName, type OperatorReader, requireMaps } from "./operatorReader.ts";
import { paddedWindow, readPad } from "./padding.ts";
import { shapeReaders } from "./shapeOperators.ts";
import type { OnnxTensor } from "./tensors.ts";

/** By operator. */
export const operatorReaders: Readonly<Record<string, OperatorReader>> = {
  Conv: readConv,
  Relu: (node, chain) => chain.add(relu(layerName(node, chain, "relu")) as AnyLayer, undefined, "nonNegative"),
  Clip: readClip,
  Tanh: (node, chain) => chain.add(tanh(layerName(node, chain, "tanh")) as AnyLayer),
  Sigmoid: (node, chain) => chain.add(sigmoid(layerName(node, chain, "sigmoid")) as AnyLayer, undefined, "nonNegative"),
  LRN: readLrn,
  Pad: readPad,
  MaxPool: readMaxPool,
  GlobalMaxPool: readGlobalMaxPool,
  AveragePool: readAveragePool,
  GlobalAveragePool(node, chain) {
    requireMaps(node, chain);
    addGlobalAverage(chain, layerName(node, chain, "average"));
  },
  Gemm: readGemm,
  MatMul: readMatMul,
  ...affineReaders,
  ...shapeReaders,
  Dropout: readDropout,
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

function readConv(node: NodeView, chain: ChainBuilder): void {
  const weight = node.need(1);
  const [outChannels = 0, groupChannels = 0, height = 0, width = 0] = weight.shape;
  if (weight.shape.length !== 4) throw node.unsupported(`a weight of ${weight.shape.length} axes, expected 4`);
  const { window } = paddedWindow(node, chain, (value) => value === 0, [height, width]);
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

function readLrn(node: NodeView, chain: ChainBuilder): void {
  requireMaps(node, chain);
  const size = node.int("size", 0);
  if (size < 1 || size % 2 === 0) throw node.unsupported(`attribute size ${size}, expected an odd number`);
  const [alpha, beta, k] = [node.float("alpha", 1e-4), node.float("beta", 0.75), node.float("bias", 1)];
  if (![alpha, beta, k].every((value) => value > 0 && value < Infinity))
    throw node.unsupported(`attributes alpha ${alpha}, beta ${beta}, bias ${k}`);
  chain.add(localResponseNorm(layerName(node, chain, "norm"), { size, alpha, beta, k }) as AnyLayer);
}

/** Largest number of f32, which stands for infinity. */
const LARGEST = 3.402823e38;

/** Padding that no maximum of values chooses: zeros too where no value is negative. */
function readMaxPool(node: NodeView, chain: ChainBuilder): void {
  const isLow = (value: number) => value <= -LARGEST || (value <= 0 && chain.isNonNegative);
  const { window } = paddedWindow(node, chain, isLow);
  node.int("storage_order", 0); // concerns the second output, which must be unused
  addMaxPool(chain, layerName(node, chain, "pool"), poolOf(node, chain, window));
}

function poolOf(node: NodeView, chain: ChainBuilder, window: FileWindow) {
  return squarePool({ ...window, isCeil: node.int("ceil_mode", 0) !== 0 }, chain.shape, node.unsupported);
}

function readAveragePool(node: NodeView, chain: ChainBuilder): void {
  const { window, isPaddedBefore } = paddedWindow(node, chain, (value) => value === 0);
  const isPadded = [...window.padBefore, ...window.padAfter].some((pad) => pad > 0);
  const countsOwn = node.int("count_include_pad", 0) !== 0;
  if (isPaddedBefore && !countsOwn && node.ints("pads")?.some((pad) => pad > 0)) {
    throw node.unsupported("padding of its own that means exclude, and padding before it");
  }
  const countsPadding = isPadded && (countsOwn || isPaddedBefore);
  const name = layerName(node, chain, "average");
  addAveragePool(chain, name, poolOf(node, chain, window), countsPadding, node.unsupported);
}

function readGlobalMaxPool(node: NodeView, chain: ChainBuilder): void {
  requireMaps(node, chain);
  const [channels = 0, height, width] = chain.shape;
  if (height === undefined || height !== width) throw node.unsupported(`maps of ${height}×${width}, expected squares`);
  const pool = { options: { kernelSize: height, stride: 1, padding: 0 }, shape: [channels, 1, 1], overhangs: false };
  addMaxPool(chain, layerName(node, chain, "pool"), pool);
}

/**
 * min(max(low, x), high): ReLU if high is infinite. A finite high, as of ReLU6, is composed of ReLUs: min(x, h) = h − max(0, h − x), so
 * min(max(0, x), h) = max(0, h − max(0, h − x)).
 */
function readClip(node: NodeView, chain: ChainBuilder): void {
  const bound = (place: number, name: string, missing: number) =>
    node.opset < 11 ? node.float(name, missing) : (node.constant(place)?.bound() ?? missing);
  const [low, high] = [bound(1, "min", -Infinity), bound(2, "max", Infinity)];
  if (low <= -LARGEST && high >= LARGEST) return;
  const isMap = chain.shape.length === 3;
  if (low !== 0 || !(high > 0) || (high < LARGEST && !isMap)) {
    throw node.unsupported(
      `min ${low}, max ${high} of [N, ${chain.shape.join(", ")}]; expected min 0, and a finite max only of maps. ` +
        "Replace it by Relu and train further, or run the file in ONNX Runtime",
    );
  }
  const name = layerName(node, chain, "relu");
  const addRelu = () => chain.add(relu(chain.unusedName(name)) as AnyLayer, undefined, "nonNegative");
  if (high < LARGEST) {
    chain.note(`${name}: min(max(0, x), ${high}) converted to max(0, ${high} − max(0, ${high} − x))`);
    const subtract = () => {
      const channels = chain.shape[chain.channelAxis] ?? 1;
      const [scale, shift] = [new Float64Array(channels).fill(-1), new Float64Array(channels).fill(high)];
      chain.scaleAndShift(chain.unusedName(`${name}.limit`), scale, shift);
    };
    subtract();
    addRelu();
    subtract();
  }
  addRelu();
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
  chain.addLinear(name, scaled, inFeatures, row, node.what);
}

function readMatMul(node: NodeView, chain: ChainBuilder): void {
  const { weight, inFeatures } = matrixOf(node, false);
  chain.addLinear(layerName(node, chain, "fc"), weight, inFeatures, undefined, node.what);
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

function readDropout(node: NodeView, chain: ChainBuilder): void {
  const given = node.opset < 12 ? undefined : node.constant(1);
  const probability = given ? (given.floats()[0] ?? 0.5) : node.float("ratio", 0.5);
  if (node.opset < 7) node.int("is_test", 0);
  node.int("seed", 0);
  if (node.constant(2)?.integers()[0]) throw node.unsupported("training_mode true");
  // Dropout is the identity at evaluation, regardless of its probability.
  if (!(probability >= 0 && probability < 1)) throw node.unsupported(`ratio ${probability}`);
  chain.addPassThrough(dropout(chain.unusedName(node.name || "dropout"), { probability }) as AnyLayer);
}
