import type { Shape } from "../shape.ts";

/** An attribute of an ONNX node; ONNX tells whole numbers from others. */
export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] };

export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>;

/** An ONNX graph being written for one layer. Values are known by their names. */
export interface OnnxGraph {
  /** Whether the runtime has the operator LRN, or is to compute it from others. */
  readonly lrn: LrnForm;
  /** Adds a node with one output, and returns the output. */
  node(operator: string, inputs: readonly string[], attributes?: OnnxAttributes): string;
  /** Adds a constant of the layer's own, and returns it. Its values are made when they are needed. */
  constant(role: string, shape: Shape, values: () => Float32Array): string;
}

export type LrnForm = "native" | "decomposed";

/** The attributes of a square window that moves alike along both axes. */
export function windowAttributes(kernelSize: number, stride: number, padding: number): OnnxAttributes {
  return {
    kernel_shape: { ints: [kernelSize, kernelSize] },
    strides: { ints: [stride, stride] },
    pads: { ints: [padding, padding, padding, padding] },
  };
}
