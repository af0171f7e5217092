import type { z } from "zod";
import type { Op, OpKind, OpOptions } from "../engine/engine.ts";
import type { Shape } from "../shape.ts";
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

/** For kinds that take their number of outputs from their input. */
export function outputsFollowInput(): undefined {
  return undefined;
}
