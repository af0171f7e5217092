/** ONNX files as other programs write them: a chain from a 3×8×8 image to a few outputs, with any end. */
import { drawn } from "./golden.ts";
import { type NodeAttribute, type NodeLine, onnxModel } from "./onnxModels.ts";

/** Shape of one image. */
export const imageShape = [3, 8, 8] as const;
const FEATURES = 3 * 3 * 8 * 8;

/** An operator at the end of the chain, with its attributes. */
export type End = readonly [operator: string, attributes?: Readonly<Record<string, NodeAttribute>>];

/** Weights of the chain, by name. */
export function chainWeights(outputs: number): ReadonlyMap<string, readonly [shape: readonly number[], Float32Array]> {
  return new Map([
    ["conv.weight", [[9, 3, 3, 3], drawn(1, "conv.weight", 9 * 27, -0.4, 0.4)]],
    ["conv.bias", [[9], drawn(1, "conv.bias", 9, -0.1, 0.1)]],
    ["fc.weight", [[outputs, FEATURES], drawn(1, "fc.weight", outputs * FEATURES, -0.12, 0.12)]],
    ["fc.bias", [[outputs], drawn(1, "fc.bias", outputs, -0.1, 0.1)]],
  ]);
}

/** Conv, Relu, Flatten, Gemm and the ends, opset 13. */
export async function onnxChain(
  outputs: number,
  ends: readonly End[],
  weights = chainWeights(outputs),
): Promise<Uint8Array> {
  const trunk: readonly NodeLine[] = [
    ["Conv", ["x", "conv.weight", "conv.bias"], "conv", { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
    ["Relu", ["conv"], "relu"],
    ["Flatten", ["relu"], "features"],
    ["Gemm", ["features", "fc.weight", "fc.bias"], ends.length === 0 ? "y" : "end0", { transB: 1 }],
  ];
  const last = ends.map(
    ([operator, attributes = {}], i): NodeLine => [
      operator,
      [`end${i}`],
      i === ends.length - 1 ? "y" : `end${i + 1}`,
      attributes,
    ],
  );
  return onnxModel({ nodes: [...trunk, ...last], constants: Object.fromEntries(weights), input: ["N", ...imageShape] });
}
