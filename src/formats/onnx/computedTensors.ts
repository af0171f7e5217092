/** Tensors computed from other tensors: strided views, broadcasting, and a limit on their total size. */
import { UnsupportedError } from "../../errors.ts";
import { equalShapes, type Shape, sizeOf } from "../../shape.ts";
import { stridedPlaces, stridesOf } from "../values.ts";
import type { NodeContext, NodeView } from "./node.ts";
import type { OnnxTensor } from "./tensors.ts";

export function broadcast(node: NodeView, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const wide = (shape: Shape) => [...new Array<number>(rank - shape.length).fill(1), ...shape];
  const [left, right] = [wide(a), wide(b)];
  return left.map((extent, i) => {
    const other = right[i] as number;
    if (extent === other || other === 1) return extent;
    if (extent === 1) return other;
    throw node.unsupported(`[${a.join(", ")}] and [${b.join(", ")}]`);
  });
}

export function broadcastStrides(shape: Shape, target: Shape): readonly number[] {
  const strides = stridesOf(shape);
  const lead = target.length - shape.length;
  return target.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : (strides[i - lead] as number)));
}

/** A strided view of a tensor, copied on first use. */
export function view(
  tensor: OnnxTensor,
  shape: Shape,
  strides: readonly number[],
  offset: number,
  context: NodeContext,
): OnnxTensor {
  if (offset === 0 && equalShapes(shape, tensor.shape) && equalShapes(strides, stridesOf(shape))) return tensor;
  return picked(tensor, shape, () => stridedPlaces(shape, strides, offset), context);
}

export function picked(
  tensor: OnnxTensor,
  shape: Shape,
  places: () => Iterable<number>,
  context: NodeContext,
  node?: NodeView,
): OnnxTensor {
  spend(sizeOf(shape), context, node);
  if (tensor.isInteger) {
    return integersFrom(shape, () => {
      const values = tensor.integers();
      return Array.from(places(), (place) => values[place] as number);
    });
  }
  return floatTensor(shape, () => {
    const values = tensor.floats();
    const result = new Float32Array(sizeOf(shape));
    let i = 0;
    for (const place of places()) result[i++] = values[place] as number;
    return result;
  });
}

/** Throws UnsupportedError if the constants of a graph grow beyond the limit. */
export function spend(values: number, { budget, origin }: NodeContext, node?: NodeView): void {
  budget.left -= values;
  if (budget.left >= 0) return;
  throw new UnsupportedError(`${node?.what ?? origin}: the constants computed in the graph are too large`);
}

export function withShape(tensor: OnnxTensor, shape: Shape): OnnxTensor {
  return { ...tensor, shape };
}

export function floatTensor(shape: Shape, values: () => Float32Array): OnnxTensor {
  // Not on first use: a long chain of nodes would overflow the stack.
  const found = values();
  return {
    shape,
    isInteger: false,
    floats: () => found,
    integers() {
      throw new UnsupportedError("expected whole numbers, got floats");
    },
  };
}

export function integerTensor(values: readonly number[], shape: Shape = [values.length]): OnnxTensor {
  return integersFrom(shape, () => values);
}

export function integersFrom(shape: Shape, values: () => readonly number[]): OnnxTensor {
  const found = values();
  return {
    shape,
    isInteger: true,
    floats() {
      throw new UnsupportedError("expected floats, got whole numbers");
    },
    integers: () => found,
  };
}
