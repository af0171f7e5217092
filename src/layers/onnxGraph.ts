/** Interface through which layers write ONNX nodes. */
import type { Shape } from "../shape.ts";

/** Attribute of an ONNX node; ONNX distinguishes integers from floats. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] };

export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>;

/** Values of a constant; the array type determines the ONNX type. */
export type OnnxValues = Float32Array | Uint8Array | Int8Array | Int32Array;

/** Graph builder for one layer. Values are identified by name. */
export interface OnnxGraph {
  /** Form of LRN: the operator, or a composition of others. */
  readonly lrn: LrnForm;
  /** Adds a node with one output, and returns the output's name. The node is named after the layer and, if given, its `role`. */
  node(operator: string, inputs: readonly string[], attributes?: OnnxAttributes, role?: string): string;
  /** Adds a constant of the layer, and returns its name. Its values are created when needed. */
  constant(role: string, shape: Shape, values: () => OnnxValues): string;
}

/** Local response normalization in ONNX: as its own operator, or decomposed into simpler ones. */
export type LrnForm = "native" | "decomposed";

/** Attributes of a square window with equal stride and padding on both axes. */
export function windowAttributes(kernelSize: number, stride: number, padding: number): OnnxAttributes {
  return {
    kernel_shape: { ints: [kernelSize, kernelSize] },
    strides: { ints: [stride, stride] },
    pads: { ints: [padding, padding, padding, padding] },
  };
}
