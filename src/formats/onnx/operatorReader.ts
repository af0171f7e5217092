/** Conversion of one ONNX node, and checks that operators share. */
import type { ChainBuilder } from "../chainBuilder.ts";
import type { NodeView } from "./node.ts";

/** Adds a node's layers to the chain. Throws UnsupportedError with operator and attribute if no layers are equivalent. */
export type OperatorReader = (node: NodeView, chain: ChainBuilder) => void;

/** Name of a layer: that of its weights (`features.0.weight`), else the node's. */
export function layerName(node: NodeView, chain: ChainBuilder, kind: string): string {
  const ofWeight = /^(.+)\.weight$/.exec(node.inputName(1))?.[1];
  return chain.unusedName(ofWeight ?? (node.name || kind));
}

/** Throws UnsupportedError unless the input is [N, channels, height, width]. */
export function requireMaps(node: NodeView, { shape, isChannelsFirst }: ChainBuilder): void {
  if (shape.length !== 3) throw node.unsupported(`an input of ${shape.length + 1} axes, expected 4`);
  if (!isChannelsFirst) {
    throw node.unsupported(
      `an input [N, ${shape.join(", ")}] of transposed axes, expected [N, channels, height, width]`,
    );
  }
}

/** One number per output; undefined if omitted. */
export function biasOf(node: NodeView, place: number, outputs: number): Float32Array | undefined {
  const bias = node.constant(place);
  if (bias && (bias.shape.length !== 1 || bias.shape[0] !== outputs)) {
    throw node.unsupported(`a bias [${bias.shape.join(", ")}] for ${outputs} outputs`);
  }
  return bias?.floats();
}
