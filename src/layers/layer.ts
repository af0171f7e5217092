/** Members that every kind of layer declares. */
import type { z } from "zod";
import type { Op, OpKind, OpOptions } from "../engine/engine.ts";
import type { Shape, Window } from "../shape.ts";
import type { OnnxGraph } from "./onnxGraph.ts";

/** One tensor that a layer learns. */
export interface ParameterDeclaration {
  /** `weight` or `bias`; the full name is `<layer>.<name>`. */
  readonly name: string;
  /** OIHW for a convolution's weight, [O, I] for a linear layer's, [O] for a bias. */
  readonly shape: Shape;
  /** Inputs that one output sees, and outputs that one input reaches: what initialisers scale by. */
  readonly fanIn: number;
  readonly fanOut: number;
}

/** A layer in the terms of a table: what it applies, how it moves, and how its output's size comes about. */
export interface LayerDescription {
  /** What the field calls it, short. */
  readonly label: string;
  /** What is applied, such as `96 of 11×11×3`; empty if there is nothing to say. */
  readonly kernel: string;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  /** The output's size with its formula filled in, one for each axis that differs; none if the input's size is kept. */
  readonly sizeFormulas: readonly string[];
}

/** What one output sees of its input: a window down and one across, or all of it. */
export type Reach = readonly [vertical: Window, horizontal: Window] | "all";

/** What training keeps of a layer from its forward to its backward pass. */
export interface KeptForBackward {
  /** What the backward pass reads again. */
  readonly reads: "input" | "output" | "neither";
  /** Bytes noted for each output besides, such as where a maximum was. */
  readonly noteBytes: number;
  /** Whether output and input, and their gradients, may be the same memory. */
  readonly inPlace: boolean;
  /**
   * An `increasing` function before one that takes the `largest` value gives the same after it, on fewer numbers, and then nothing is kept of the
   * many.
   */
  readonly order: "increasing" | "largest" | "other";
}

/**
 * What a layer is where weights and activations have 8 bits. `kept`: outputs are among its inputs, and stay 8 bits as they are. `clamped`: inputs
 * below 0 become 0, as rounding to numbers of a range from 0 does, so that it is done after this layer and not before. `computed`: anything else;
 * outputs are rounded anew.
 */
export type EightBits = "kept" | "clamped" | "computed";

/**
 * What a kind of layer is. One file a kind states all of it, and everything else (parameter counts, neurons, MACs, memory,
 * the operation an engine runs) is derived.
 */
export interface LayerKind<K extends OpKind> {
  readonly kind: K;
  /** Strict: an unknown option is an error. Options left out take their defaults. */
  readonly options: z.ZodType<OpOptions[K]>;
  /** Shape of one image's output. Throws ShapeError naming the layer if the input does not fit. */
  outputShape(name: string, options: OpOptions[K], input: Shape): Shape;
  /** In the order of the state dictionary: weight, then bias. Throws ShapeError naming the layer. */
  parameters(name: string, options: OpOptions[K], input: Shape): readonly ParameterDeclaration[];
  /** The layer in a table's terms. */
  describe(options: OpOptions[K], input: Shape): LayerDescription;
  /** Receptive fields follow from it. */
  reach(options: OpOptions[K], input: Shape): Reach;
  readonly keeps: KeptForBackward;
  inEightBits(options: OpOptions[K], input: Shape): EightBits;
  /** The same options with another number of outputs, or undefined if the kind takes its outputs from its input. */
  withOutputs(options: OpOptions[K], outputs: number): OpOptions[K] | undefined;
  /**
   * Writes what the layer does at evaluation, dropout off, as nodes of an ONNX graph (opset 13), and returns their output. Parameters are
   * values by their full names.
   */
  onnx(op: Op<K>, input: string, graph: OnnxGraph): string;
}

/** A layer of a network: its name, its kind and all its options. Plain JSON. */
export type Layer<K extends OpKind = OpKind> = { readonly name: string; readonly kind: K } & OpOptions[K];

/** Any layer, discriminated by `kind`. */
export type AnyLayer = { [K in OpKind]: Layer<K> }[OpKind];

/** For kinds that learn nothing. */
export function noParameters(): readonly ParameterDeclaration[] {
  return [];
}

/** For kinds that keep their input's shape. */
export function sameShape(_name: string, _options: object, input: Shape): Shape {
  return input;
}

const samePlace: Reach = [
  { kernelSize: 1, stride: 1, padding: 0 },
  { kernelSize: 1, stride: 1, padding: 0 },
];

/** For kinds whose outputs see their own place of the input. */
export function reachesSamePlace(): Reach {
  return samePlace;
}

/** For kinds whose outputs see the same square window wherever they are. */
export function reachesWindow({ kernelSize, stride, padding }: Window): Reach {
  const window = { kernelSize, stride, padding };
  return [window, window];
}

/** For activations, whose derivative follows from the output. */
export const keepsOutput: KeptForBackward = { reads: "output", noteBytes: 0, inPlace: true, order: "increasing" };

/** The feature-map formula of `outputExtent`, filled in: `(227 − 11 + 2×0) ÷ 4 + 1 = 55`, in ⌊ ⌋ where the division has a rest. */
export function windowFormulas([, height, width]: Shape, window: Window): readonly string[] {
  const extents = height === width ? [width ?? 0] : [height ?? 0, width ?? 0];
  return extents.map((extent) => {
    const { kernelSize, stride, padding, endPadding = padding } = window;
    const steps = (extent - kernelSize + padding + endPadding) / stride;
    const padded = endPadding === padding ? `2×${padding}` : `${padding} + ${endPadding}`;
    const quotient = `(${extent} − ${kernelSize} + ${padded}) ÷ ${stride}`;
    return `${Number.isInteger(steps) ? quotient : `⌊${quotient}⌋`} + 1 = ${Math.floor(steps) + 1}`;
  });
}

/** For kinds whose outputs are numbers of their own. */
export function computedInEightBits(): EightBits {
  return "computed";
}

/** For kinds that pass numbers on. */
export function keptInEightBits(): EightBits {
  return "kept";
}

/** For kinds that take their number of outputs from their input. */
export function outputsFollowInput(): undefined {
  return undefined;
}
