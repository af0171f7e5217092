/**
 * A network of 8-bit weights and activations as an ONNX graph: what a layer takes stands behind DequantizeLinear, what it gives before
 * QuantizeLinear, and a runtime makes integer operators of the three.
 *
 * Source: ONNX Runtime, "Quantize ONNX models", the form "QDQ".
 */
import type { AnyOp, Op } from "../../engine/engine.ts";
import type { RoundedParameter } from "../../int8.ts";
import { type Network, operations } from "../../network/network.ts";
import { IMAGES, layersInEightBits, type Quantization } from "../quantization.ts";
import { type OnnxGraphBuilder, writeLayer } from "./graphBuilder.ts";

/** Names of the constants of a rounding. */
type Scale = readonly [scale: string, zeroPoint: string];

/** Writes every layer of a network, from `input` on; returns the last value, which is f32. Pooling and flattening work on 8 bits. */
export function writeQuantizedLayers(
  network: Network,
  input: string,
  graph: OnnxGraphBuilder,
  quantization: Quantization,
): string {
  const kinds = layersInEightBits(network);
  graph.enter("images");
  let [value, scale] = rounded(IMAGES, input, graph, quantization);
  for (const [i, op] of operations(network).entries()) {
    graph.enter(op.name);
    if (kinds[i] !== "kept" && scale) {
      value = graph.node("DequantizeLinear", [value, ...scale], {}, "input");
      scale = undefined;
    }
    const output = writeLayer(withParameters(op, graph, quantization) as Op, value, graph);
    [value, scale] = scale ? [output, scale] : rounded(op.name, output, graph, quantization);
  }
  return value;
}

/** The value as it is if it stays f32. */
function rounded(
  name: string,
  value: string,
  graph: OnnxGraphBuilder,
  { activations }: Quantization,
): [value: string, scale: Scale | undefined] {
  const rounding = activations.get(name);
  if (!rounding) return [value, undefined];
  const scale = graph.constant("scale", [], () => Float32Array.of(rounding.scale));
  const zeroPoint = graph.constant("zeroPoint", [], () => Uint8Array.of(rounding.zeroPoint));
  return [graph.node("QuantizeLinear", [value, scale, zeroPoint], {}, "rounded"), [scale, zeroPoint]];
}

/** The same operation on what its parameters are once they are f32 again. */
function withParameters(op: AnyOp, graph: OnnxGraphBuilder, { parameters }: Quantization): AnyOp {
  const names = op.parameters.map(({ name, shape }) => {
    const parameter = parameters.get(name);
    return { name: parameter ? dequantized(name, parameter, graph) : name, shape };
  });
  return { ...op, parameters: names };
}

function dequantized(name: string, { type, scales }: RoundedParameter, graph: OnnxGraphBuilder): string {
  const role = name.slice(name.lastIndexOf(".") + 1);
  const rows = scales.length;
  const scale = graph.constant(`${role}.scale`, [rows], () => scales);
  const zeros = () => (type === "INT8" ? new Int8Array(rows) : new Int32Array(rows));
  const zeroPoint = graph.constant(`${role}.zeroPoint`, [rows], zeros);
  return graph.node("DequantizeLinear", [name, scale, zeroPoint], { axis: { int: 0 } }, `${role}.f32`);
}
