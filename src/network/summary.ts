import { type Shape, sizeOf } from "../shape.ts";
import { type Network, type PlacedLayer, place } from "./network.ts";

/** The numbers of one layer, for one image. */
export interface LayerSummary {
  readonly name: string;
  readonly kind: string;
  readonly outputShape: Shape;
  readonly parameters: number;
  /** Outputs of a layer with weights; 0 for others. */
  readonly neurons: number;
  /** Multiply-accumulates of a forward pass: weight elements × output positions. */
  readonly macs: number;
}

/** The numbers of a network: what `summary --json` prints. */
export interface NetworkSummary {
  readonly network: string;
  readonly source: string;
  readonly deviations: readonly string[];
  readonly input: Network["input"];
  readonly layers: readonly LayerSummary[];
  /** FLOPs are 2 × MACs. */
  readonly totals: {
    readonly parameters: number;
    readonly neurons: number;
    readonly macs: number;
    readonly flops: number;
  };
}

/** Every number about a network. Throws ShapeError if a layer does not fit. */
export function summarize(network: Network): NetworkSummary {
  const layers = place(network).map(summarizeLayer);
  const total = (key: "parameters" | "neurons" | "macs") => layers.reduce((sum, layer) => sum + layer[key], 0);
  const macs = total("macs");
  return {
    network: network.name,
    source: network.source,
    deviations: network.deviations,
    input: network.input,
    layers,
    totals: { parameters: total("parameters"), neurons: total("neurons"), macs, flops: 2 * macs },
  };
}

function summarizeLayer({ layer, outputShape, parameters }: PlacedLayer): LayerSummary {
  const weights = parameters.filter((parameter) => parameter.shape.length > 1);
  const positions = sizeOf(outputShape.slice(1));
  return {
    name: layer.name,
    kind: layer.kind,
    outputShape,
    parameters: parameters.reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0),
    neurons: parameters.length > 0 ? sizeOf(outputShape) : 0,
    macs: weights.reduce((sum, weight) => sum + sizeOf(weight.shape) * positions, 0),
  };
}
