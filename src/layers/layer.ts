/** Members that every kind of layer declares. */
import type { z } from "zod";
import type { Op, OpKind, OpOptions } from "../engine/engine.ts";
import type { Order } from "../hoistMaxPool.ts";
import type { Int8Effect } from "../int8.ts";
import type { Shape, Window } from "../shape.ts";
import type { OnnxGraph } from "./onnxGraph.ts";

/** One tensor that a layer learns. */
export interface ParameterDeclaration {
  /** `weight` or `bias`; the full name is `<layer>.<name>`. */
  readonly name: string;
  /** OIHW for a convolution's weight, [O, I] for a linear layer's, [O] for a bias. */
  readonly shape: Shape;
  /** Inputs that one output sees, and outputs that one input reaches; initialisers scale by them. */
  readonly fanIn: number;
  readonly fanOut: number;
}

/** A layer in the terms of a table: kernel, stride, padding, and the formula of its output size. */
export interface LayerDescription {
  /** The field's name for it, short. */
  readonly label: string;
  /** The kernel, such as `96 of 11×11×3`; empty if there is nothing to say. */
  readonly kernel: string;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  /** The output's size with its formula filled in, one for each axis that differs; none if the input's size is kept. */
  readonly sizeFormulas: readonly string[];
}

/** The part of the input that one output sees: a window down and one across, or all of it. */
export type Reach = readonly [vertical: Window, horizontal: Window] | "all";

/** Memory that training needs for a layer between its forward and its backward pass. */
export interface KeptForBackward {
  /** The tensor that the backward pass reads again. */
  readonly reads: "input" | "output" | "neither";
  /** Bytes noted for each output besides, such as the position of a maximum. */
  readonly noteBytes: number;
  /**
   * Least memory of the output. `new`: its own. `inPlace`: the input's, overwritten, unless the layer before reads that again. `view`: the input's,
   * unchanged. The gradients share memory in the last two.
   */
  readonly memory: "new" | "inPlace" | "view";
}

/** When a layer's output depends on random numbers. */
export type Randomness = "never" | "training" | "always";

/**
 * Everything about a kind of layer, in one place. The rest (parameter counts, neurons, MACs, memory, the operation an engine runs and how it may
 * rewrite it) is derived. No member is optional, so that leaving one out does not compile.
 */
export interface LayerKind<K extends OpKind> {
  readonly kind: K;
  /** Strict: an unknown option is an error. Options left out take their defaults. */
  readonly options: z.ZodType<OpOptions[K]>;
  /** Effect on the order of its inputs: engines rewrite chains by it. */
  readonly order: Order;
  /** Shape of one image's output. Throws ShapeError naming the layer if the input does not fit. */
  outputShape(name: string, options: OpOptions[K], input: Shape): Shape;
  /** In the order of the state dictionary: weight, then bias. Throws ShapeError naming the layer. */
  parameters(name: string, options: OpOptions[K], input: Shape): readonly ParameterDeclaration[];
  /** The layer in a table's terms. */
  describe(options: OpOptions[K], input: Shape): LayerDescription;
  /** Receptive fields follow from it. */
  reach(options: OpOptions[K], input: Shape): Reach;
  readonly keeps: KeptForBackward;
  randomness(options: OpOptions[K]): Randomness;
  /** The same options without random numbers at evaluation. */
  deterministic(options: OpOptions[K]): OpOptions[K];
  inInt8(options: OpOptions[K], input: Shape): Int8Effect;
  /** The same options with another number of outputs, or undefined if the kind takes its outputs from its input. */
  withOutputs(options: OpOptions[K], outputs: number): OpOptions[K] | undefined;
  /**
   * Writes the layer as at evaluation, without random numbers, as nodes of an ONNX graph (opset 13), and returns their output. Parameters are
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

/** For kinds without random numbers. */
export function neverRandom(): Randomness {
  return "never";
}

/** For kinds without random numbers: `deterministic`. */
export function sameOptions<O>(options: O): O {
  return options;
}

/** For kinds that compute new values. */
export function computedInInt8(): Int8Effect {
  return "computed";
}

/** For kinds that pass values through. */
export function keptInInt8(): Int8Effect {
  return "kept";
}

/** For kinds that take their number of outputs from their input. */
export function outputsFollowInput(): undefined {
  return undefined;
}
