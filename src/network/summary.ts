/** Figures of a network: sizes, parameters, arithmetic, memory. */
import { layerKinds } from "../layers/kinds.ts";
import type { AnyLayer, Layer, LayerDescription, Reach } from "../layers/layer.ts";
import { learned } from "../learned.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { activationBytes, type TrainingMemory, trainingMemory } from "./memory.ts";
import { type Network, type PlacedLayer, place } from "./network.ts";
import { compareWithPaper, type PaperFigure } from "./paper.ts";

/** Part of the network's input that one output of a layer depends on, in pixels. Includes padding, so it may exceed the input. */
export interface ReceptiveField {
  readonly size: readonly [height: number, width: number];
  /** Distance between the fields of neighbouring outputs; null if every output depends on the whole input. */
  readonly stride: readonly [vertical: number, horizontal: number] | null;
}

/** Figures of a layer, for one image unless stated otherwise. */
export interface LayerSummary extends LayerDescription {
  readonly name: string;
  readonly kind: AnyLayer["kind"];
  /** [channels, height, width], or [features] after `flatten`. */
  readonly inputShape: Shape;
  /** [channels, height, width], or [features] from `flatten` on. */
  readonly outputShape: Shape;
  /** Number of weights and biases. */
  readonly parameters: number;
  /** `11×11×3×96 + 96`; empty for a layer without parameters. */
  readonly parameterFormula: string;
  /** Number of outputs of a layer with weights; 0 for others. */
  readonly neurons: number;
  /** Multiply-accumulates of a forward pass: outputs × inputs of each. */
  readonly macs: number;
  /** 2 × MACs. */
  readonly flops: number;
  /** Fraction of the network's parameters, from 0 to 1. */
  readonly parameterShare: number;
  /** Fraction of the network's MACs, from 0 to 1. */
  readonly macShare: number;
  /** Size in bytes of the output for a batch, in 32-bit floats. */
  readonly activationBytes: number;
  /** Size in bytes of the output's gradient for a batch, in 32-bit floats. */
  readonly gradientBytes: number;
  /** Part of the input, in pixels, that one output depends on. */
  readonly receptiveField: ReceptiveField;
}

/** Figures of a network, as printed by `summary --json`. */
export interface NetworkSummary {
  readonly network: string;
  readonly source: string;
  readonly deviations: readonly string[];
  readonly input: Network["input"];
  /** Batch size of the figures in bytes. */
  readonly batchSize: number;
  readonly layers: readonly LayerSummary[];
  /** Sums over the layers, for one image; FLOPs are 2 × MACs. */
  readonly totals: {
    readonly parameters: number;
    readonly neurons: number;
    readonly macs: number;
    readonly flops: number;
  };
  /** Memory of training with this batch size, in bytes. */
  readonly trainingMemory: TrainingMemory;
  /** Comparison with the paper's figures; empty for other networks. */
  readonly againstPaper: readonly PaperFigure[];
}

/** Batch size of the paper, §5. */
const PAPER_BATCH = 128;

/** Computes the figures of a network. Bytes are for a batch, by default of 128 images. Throws ShapeError if a layer does not match its input. */
export function summarize(
  network: Network,
  { batchSize = PAPER_BATCH }: { readonly batchSize?: number } = {},
): NetworkSummary {
  const placed = place(network);
  const counted = placed.map(counts);
  const total = (key: "parameters" | "neurons" | "macs") => counted.reduce((sum, layer) => sum + layer[key], 0);
  const [parameters, neurons, macs] = [total("parameters"), total("neurons"), total("macs")];
  const fields = receptiveFields(network, placed);
  const layers = placed.map(({ layer, inputShape, outputShape, parameters: declared }, i): LayerSummary => {
    const own = counted[i] as Counts;
    return {
      name: layer.name,
      kind: layer.kind,
      ...describe(layer, inputShape),
      inputShape,
      outputShape,
      ...own,
      parameterFormula: learned(declared)
        .map(({ shape }) => shape.toReversed().join("×"))
        .join(" + "),
      flops: 2 * own.macs,
      parameterShare: own.parameters / Math.max(1, parameters),
      macShare: own.macs / Math.max(1, macs),
      activationBytes: activationBytes(outputShape, batchSize),
      gradientBytes: activationBytes(outputShape, batchSize),
      receptiveField: fields[i] as ReceptiveField,
    };
  });
  const { name, source, deviations, input } = network;
  const totals = { parameters, neurons, macs, flops: 2 * macs };
  const memory = trainingMemory(placed, batchSize);
  const againstPaper = compareWithPaper(network, layers, totals);
  const given = { network: name, source, deviations, input, batchSize };
  return { ...given, layers, totals, trainingMemory: memory, againstPaper };
}

function describe<K extends AnyLayer["kind"]>(layer: Layer<K>, inputShape: Shape): LayerDescription {
  return layerKinds[layer.kind].describe(layer, inputShape);
}

type Counts = Pick<LayerSummary, "parameters" | "neurons" | "macs">;

function counts({ outputShape, parameters }: PlacedLayer): Counts {
  const weights = parameters.filter((parameter) => parameter.shape.length > 1);
  const outputs = sizeOf(outputShape);
  return {
    parameters: learned(parameters).reduce((sum, parameter) => sum + sizeOf(parameter.shape), 0),
    neurons: weights.length > 0 ? outputs : 0,
    macs: weights.reduce((sum, { fanIn }) => sum + fanIn * outputs, 0),
  };
}

/**
 * Receptive fields by size ← size + (K − 1) · stride, then stride ← stride · S, with K the layer's window and S its stride.
 *
 * Source: Araujo, Norris, Sim 2019, “Computing receptive fields of convolutional neural networks”, equations 2 and 3.
 */
function receptiveFields({ input }: Network, placed: readonly PlacedLayer[]): readonly ReceptiveField[] {
  let field: ReceptiveField = { size: [1, 1], stride: [1, 1] };
  return placed.map(({ layer, inputShape }) => {
    field = widened(field, reachOf(layer, inputShape), [input[1], input[2]]);
    return field;
  });
}

function reachOf<K extends Layer["kind"]>(layer: Layer<K>, inputShape: PlacedLayer["inputShape"]): Reach {
  return layerKinds[layer.kind].reach(layer, inputShape);
}

function widened({ size, stride }: ReceptiveField, reach: Reach, whole: ReceptiveField["size"]): ReceptiveField {
  if (stride === null || reach === "all") return { size: whole, stride: null };
  const [down, across] = reach;
  return {
    size: [size[0] + (down.kernelSize - 1) * stride[0], size[1] + (across.kernelSize - 1) * stride[1]],
    stride: [stride[0] * down.stride, stride[1] * across.stride],
  };
}
