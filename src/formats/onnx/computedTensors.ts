/** Tensors computed from other tensors: strided views, broadcasting, and a limit on their total size. */
import { UnsupportedError } from "../../errors.ts";
import { equalShapes, type Shape, sizeOf, stridesOf } from "../../shape.ts";
import { copyStrided, isContiguous, type StridedView } from "../values.ts";
import type { NodeContext, NodeView } from "./node.ts";
import type { OnnxTensor } from "./tensors.ts";

/** Computes an operator's output from constant inputs. Throws UnsupportedError for a feature that is not supported. */
export type Fold = (node: NodeView, context: NodeContext) => OnnxTensor;

/** Shape that two shapes broadcast to. Throws UnsupportedError for extents that differ where neither is 1. */
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

/** A tensor broadcast to a shape from `broadcast`. Errors as of `spend`. */
export function broadcastTo(target: Shape, tensor: OnnxTensor, context: NodeContext): OnnxTensor {
  const { shape } = tensor;
  const own = stridesOf(shape);
  const lead = target.length - shape.length;
  const strides = target.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : (own[i - lead] as number)));
  return view(tensor, { shape: target, strides, offset: 0 }, context);
}

/** A copy of a strided view of a tensor; the tensor itself if the view is all of it in order. Errors as of `spend`. */
export function view(tensor: OnnxTensor, wanted: StridedView, context: NodeContext): OnnxTensor {
  const { shape, offset } = wanted;
  if (offset === 0 && equalShapes(shape, tensor.shape) && isContiguous(wanted)) return tensor;
  return picked(tensor, shape, (from, to) => copyStrided(from, to, wanted), context);
}

/** A tensor of `shape` whose elements `copy` chooses from those of another. Errors as of `spend`. */
export function picked(
  tensor: OnnxTensor,
  shape: Shape,
  copy: (from: ArrayLike<number>, to: Float32Array | number[]) => void,
  context: NodeContext,
  node?: NodeView,
): OnnxTensor {
  spend(sizeOf(shape), context, node);
  if (tensor.isInteger) {
    const result: number[] = [];
    copy(tensor.integers(), result);
    return integerTensor(result, shape);
  }
  const result = new Float32Array(sizeOf(shape));
  copy(tensor.floats(), result);
  return floatTensor(result, shape);
}

/** Counts computed values. Throws UnsupportedError if the constants of a graph grow beyond the limit. */
export function spend(values: number, { budget, origin }: NodeContext, node?: NodeView): void {
  budget.left -= values;
  if (budget.left >= 0) return;
  throw new UnsupportedError(`${node?.what ?? origin}: the constants computed in the graph are too large`);
}

/** The same elements in another shape of the same size. */
export function withShape(tensor: OnnxTensor, shape: Shape): OnnxTensor {
  return { ...tensor, shape };
}

/** A tensor of computed floats; a vector unless `shape` says otherwise. */
export function floatTensor(values: Float32Array, shape: Shape = [values.length]): OnnxTensor {
  return {
    shape,
    isInteger: false,
    floats: () => values,
    bound() {
      if (values.length === 1) return values[0] as number;
      throw new UnsupportedError(`expected one value, got [${shape.join(", ")}]`);
    },
    int32s: () => {
      throw new UnsupportedError("expected whole numbers, got floats");
    },
    integers() {
      throw new UnsupportedError("expected whole numbers, got floats");
    },
  };
}

/** A tensor of computed whole numbers; a vector unless `shape` says otherwise. */
export function integerTensor(values: readonly number[], shape: Shape = [values.length]): OnnxTensor {
  return {
    shape,
    isInteger: true,
    floats() {
      throw new UnsupportedError("expected floats, got whole numbers");
    },
    bound() {
      throw new UnsupportedError("expected a float, got whole numbers");
    },
    int32s: () => Int32Array.from(values),
    integers: () => values,
  };
}
