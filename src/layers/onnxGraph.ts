/** Builder interface that layers write ONNX nodes to. */
import type { Shape } from "../shape.ts";

/** An attribute of an ONNX node; ONNX tells whole numbers from others. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] };

export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>;

/** The values of a constant; ONNX tells their types from those of the arrays. */
export type OnnxValues = Float32Array | Uint8Array | Int8Array | Int32Array;

/** An ONNX graph being written for one layer. Values are known by their names. */
export interface OnnxGraph {
  /** Whether the runtime has the operator LRN, or is to compute it from others. */
  readonly lrn: LrnForm;
  /** Adds a node with one output, and returns the output. It is named after the layer, and what it is there for if `role` says so. */
  node(operator: string, inputs: readonly string[], attributes?: OnnxAttributes, role?: string): string;
  /** Adds a constant of the layer's own, and returns it. Its values are made when they are needed. */
  constant(role: string, shape: Shape, values: () => OnnxValues): string;
}

/** Local response normalization in ONNX: as its own operator, or decomposed into simpler ones. */
export type LrnForm = "native" | "decomposed";

/** The attributes of a square window that moves alike along both axes. */
export function windowAttributes(kernelSize: number, stride: number, padding: number): OnnxAttributes {
  return {
    kernel_shape: { ints: [kernelSize, kernelSize] },
    strides: { ints: [stride, stride] },
    pads: { ints: [padding, padding, padding, padding] },
  };
}
