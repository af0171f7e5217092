/** Interface of a kind of layer. */
import type { z } from "zod/mini";
import type { Op, OpKind, OpOptions } from "../engine/engine.ts";
import type { Order } from "../hoistMaxPool.ts";
import type { Int8Effect } from "../int8.ts";
import type { Shape, Window } from "../shape.ts";
import type { OnnxGraph } from "./onnxGraph.ts";

/** A parameter tensor of a layer, or a running statistic. */
export interface ParameterDeclaration {
  /** `weight`, `bias`, or PyTorch's name of a statistic; the full name is `<layer>.<name>`. */
  readonly name: string;
  /** OIHW for a convolution's weight, [O, I] for a linear layer's, [O] for a bias. */
  readonly shape: Shape;
  /** Inputs per output, and outputs per input; initializers scale by them. */
  readonly fanIn: number;
  readonly fanOut: number;
  /** Initial value of all elements. Default: the initializer's. */
  readonly initial?: number;
  /** True for a running statistic: training updates it in the forward pass, without a gradient. */
  readonly isStatistic?: true;
}

/** Description of a layer for tables: kernel, stride, padding, and formulas of its output size. */
export interface LayerDescription {
  /** Short name, as the field uses it. */
  readonly label: string;
  /** The kernel, such as `96 of 11×11×3`; empty if there is none. */
  readonly kernel: string;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  /** Output size with its formula, one for each axis that differs; empty if the input's size is unchanged. */
  readonly sizeFormulas: readonly string[];
}

/** Part of the input that an output depends on: a vertical and a horizontal window, or all of it. */
export type Reach = readonly [vertical: Window, horizontal: Window] | "all";

/** Memory that a layer needs in training between its forward and backward pass. */
export interface KeptForBackward {
  /** Tensor that the backward pass reads again. */
  readonly reads: "input" | "output" | "neither";
  /** Additional bytes per output, such as for the position of a maximum. */
  readonly noteBytes: number;
  /**
   * Minimum memory of the output. `new`: its own. `inPlace`: the input's, overwritten, unless the previous layer's backward pass reads it. `view`:
   * the input's, unchanged. Gradients share memory in the last two cases.
   */
  readonly memory: "new" | "inPlace" | "view";
}

/** scale[c] · x[c] + shift[c]: one number each per channel, or per feature of a vector. */
export interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** Condition under which a layer's output depends on random numbers. */
export type Randomness = "never" | "training" | "always";

/**
 * Everything about a kind of layer, in one place. The rest (parameter counts, neurons, MACs, memory, the operation an engine runs and how it may
 * rewrite it) is derived. No member is optional, so that leaving one out does not compile.
 */
export interface LayerKind<K extends OpKind> {
  readonly kind: K;
  /** Strict: an unknown option is an error. Omitted options have defaults. */
  readonly options: z.ZodMiniType<OpOptions[K]>;
  /** Effect on the order of its inputs: engines rewrite chains by it. */
  readonly order: Order;
  /** Output shape for one image. Throws ShapeError naming the layer if the input shape is invalid. */
  outputShape(name: string, options: OpOptions[K], input: Shape): Shape;
  /** In state dict order: weight, bias, then statistics. Throws ShapeError naming the layer. */
  parameters(name: string, options: OpOptions[K], input: Shape): readonly ParameterDeclaration[];
  /** Description for tables. */
  describe(options: OpOptions[K], input: Shape): LayerDescription;
  /** Determines receptive fields. */
  reach(options: OpOptions[K], input: Shape): Reach;
  readonly keeps: KeptForBackward;
  randomness(options: OpOptions[K]): Randomness;
  /** The same options without random numbers at evaluation. */
  deterministic(options: OpOptions[K]): OpOptions[K];
  inInt8(options: OpOptions[K], input: Shape): Int8Effect;
  /**
   * For kinds that only scale and shift each channel at evaluation: the numbers, from the layer's tensors by their names in it. They are folded into other
   * layers for int8. Undefined for other kinds.
   */
  readonly scaleAndShift: ((options: OpOptions[K], tensors: ReadonlyMap<string, Float32Array>) => Affine) | undefined;
  /** The same options with another number of outputs; undefined if the input determines that number. */
  withOutputs(options: OpOptions[K], outputs: number): OpOptions[K] | undefined;
  /**
   * Writes the layer, as at evaluation and without random numbers, as nodes of an ONNX graph (opset 13), and returns their output. Parameters are
   * values named by their full names.
   */
  onnx(op: Op<K>, input: string, graph: OnnxGraph): string;
}

/** A layer of a network: its name, its kind and all its options. Plain JSON. */
export type Layer<K extends OpKind = OpKind> = { readonly name: string; readonly kind: K } & OpOptions[K];

/** Any layer, discriminated by `kind`. */
export type AnyLayer = { [K in OpKind]: Layer<K> }[OpKind];

/** For kinds without parameters. */
export function noParameters(): readonly ParameterDeclaration[] {
  return [];
}

/** For kinds whose output has the input's shape. */
export function sameShape(_name: string, _options: object, input: Shape): Shape {
  return input;
}

const samePlace: Reach = [
  { kernelSize: 1, stride: 1, padding: 0 },
  { kernelSize: 1, stride: 1, padding: 0 },
];

/** For kinds whose outputs depend on one input position. */
export function reachesSamePlace(): Reach {
  return samePlace;
}

/** For kinds whose outputs depend on a square window of the same size everywhere. */
export function reachesWindow({ kernelSize, stride, padding }: Window): Reach {
  const window = { kernelSize, stride, padding };
  return [window, window];
}

/** Formula of `outputExtent` with its values: `(227 − 11 + 2×0) ÷ 4 + 1 = 55`, with ⌊ ⌋ if the division has a remainder. */
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

/** For kinds without random numbers: their `deterministic`. */
export function sameOptions<O>(options: O): O {
  return options;
}

/** For kinds that compute new values. */
export function computedInInt8(): Int8Effect {
  return "computed";
}

/** For kinds that have no 8-bit form. */
export function notInInt8(): Int8Effect {
  return "none";
}

/** For kinds that pass values through unchanged. */
export function keptInInt8(): Int8Effect {
  return "kept";
}

/** For kinds whose number of outputs is determined by the input. */
export function outputsFollowInput(): undefined {
  return undefined;
}
