/** ONNX operators that scale and shift each channel: arithmetic with constants, and batch normalisation. */
import { sizeOf } from "../../shape.ts";
import type { ChainBuilder } from "../chainBuilder.ts";
import type { NodeView } from "./node.ts";
import { biasOf, layerName, type OperatorReader } from "./operatorReader.ts";
import type { OnnxTensor } from "./tensors.ts";

/** By operator. */
export const affineReaders: Readonly<Record<string, OperatorReader>> = {
  Add(node, chain) {
    chain.scaleAndShift(layerName(node, chain, "add"), undefined, operandOf(node, chain, "summand"));
  },
  Sub(node, chain) {
    const shift = operandOf(node, chain, "subtrahend").map((value) => -value);
    chain.scaleAndShift(layerName(node, chain, "sub"), undefined, shift);
  },
  Mul(node, chain) {
    const scale = operandOf(node, chain, "factor");
    chain.scaleAndShift(layerName(node, chain, "mul"), scale, new Float64Array(scale.length));
  },
  Div(node, chain) {
    const scale = operandOf(node, chain, "divisor").map((value) => 1 / value);
    chain.scaleAndShift(layerName(node, chain, "div"), scale, new Float64Array(scale.length));
  },
  BatchNormalization: readBatchNormalization,
};

/** The constant of a node with two inputs: one number per channel. */
function operandOf(node: NodeView, chain: ChainBuilder, what: string): Float64Array {
  const constant = node.need(node.isConstant(1) ? 1 : 0);
  const { shape, channelAxis } = chain;
  const channels = shape[channelAxis] ?? 1;
  const axis = node.opset < 7 ? operandAxis(node, constant, chain) : shape.length + 1 - constant.shape.length;
  const extents = constant.shape.map((extent, i) => ({ extent, isChannel: axis + i === channelAxis + 1 }));
  if (axis < 0 || extents.some(({ extent, isChannel }) => extent !== 1 && !(isChannel && extent === channels))) {
    throw node.unsupported(`a ${what} [${constant.shape.join(", ")}] of [N, ${shape.join(", ")}]`);
  }
  const values = constant.floats();
  const isOne = sizeOf(constant.shape) === 1;
  return Float64Array.from({ length: channels }, (_, o) => values[isOne ? 0 : o] as number);
}

/** First axis of the second input. Before opset 7 it is `axis`, or follows from aligning the last axes. */
function operandAxis(node: NodeView, { shape }: OnnxTensor, chain: ChainBuilder): number {
  const last = chain.shape.length + 1 - shape.length;
  const axis = node.int("axis", last);
  if (node.int("broadcast", 0) === 0) throw node.unsupported("attribute broadcast 0");
  return axis < 0 ? axis + chain.shape.length + 1 : axis;
}

/** scale · (x − mean) / √(variance + epsilon) + shift. */
function readBatchNormalization(node: NodeView, chain: ChainBuilder): void {
  const epsilon = node.float("epsilon", 1e-5);
  node.float("momentum", 0.9);
  if (node.opset < 7) node.only("is_test", 1);
  if (node.opset < 7 && !node.has("is_test")) throw node.unsupported("attribute is_test 0");
  if (node.opset < 9) node.only("spatial", 1);
  if (node.opset >= 14) node.only("training_mode", 0);
  if (chain.channelAxis !== 0) throw node.unsupported(`an input [N, ${chain.shape.join(", ")}] of transposed axes`);
  const [channels = 1] = chain.shape;
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((place) => biasOf(node, place, channels));
  if (!scale || !bias || !mean || !variance) throw node.unsupported("an omitted input");
  const factors = Float64Array.from(scale, (s, c) => s / Math.sqrt((variance[c] as number) + epsilon));
  const shift = Float64Array.from(bias, (b, c) => b - (mean[c] as number) * (factors[c] as number));
  chain.scaleAndShift(chain.unusedName(node.name || "norm"), factors, shift);
}
