/**
 * Evaluation of nodes whose inputs are constants, such as shapes and weights that a graph reshapes or transposes. Arithmetic is in f32,
 * as in ONNX Runtime. Longer than other files: one table of all operators.
 *
 * Source: https://github.com/onnx/onnx/blob/main/docs/Operators.md.
 */
import { CheckpointError, UnsupportedError } from "../../errors.ts";
import { equalShapes, type Shape, sizeOf } from "../../shape.ts";
import { stridesOf } from "../values.ts";
import {
  broadcast,
  broadcastStrides,
  floatTensor,
  integersFrom,
  integerTensor,
  picked,
  spend,
  view,
  withShape,
} from "./computedTensors.ts";
import type { NodeMessage } from "./messages.ts";
import { describeNode, type NodeContext, type NodeView, type Value, viewNode } from "./node.ts";
import type { OnnxTensor } from "./tensors.ts";

/** Computes an operator's output from constant inputs. Throws UnsupportedError for a feature that is not supported. */
type Fold = (node: NodeView, context: NodeContext) => OnnxTensor;

/** Output of a node of constants: a constant, or an error on use. */
export function foldConstant(node: NodeMessage, context: NodeContext): Value {
  const what = describeNode(node, context.origin);
  const { opType = "", domain = "" } = node;
  const fold = (domain === "" || domain === "ai.onnx") && Object.hasOwn(folds, opType) ? folds[opType] : undefined;
  const refused = (reason: string) => (use: string) =>
    new UnsupportedError(`${use}: an input is computed by ${what}; ${reason}`);
  if (!fold) return { refused: refused(`operator ${opType} on constants is not supported`) };
  try {
    const { view: seen, checkAttributes } = viewNode(node, context);
    const constant = fold(seen, context);
    checkAttributes();
    return { constant };
  } catch (error) {
    if (error instanceof UnsupportedError)
      return { refused: refused(error.message.replace(`${context.origin}: `, "")) };
    throw error;
  }
}

/** Shape of a value of the chain; NaN is a batch of any size. */
export function foldShape(node: NodeMessage, shape: Shape, context: NodeContext): Value {
  const { view: seen, checkAttributes } = viewNode(node, context);
  const part = partOf(seen, [context.batchSize ?? Number.NaN, ...shape]);
  checkAttributes();
  return { constant: integerTensor(part) };
}

function partOf(node: NodeView, shape: Shape): Shape {
  return shape.slice(node.int("start", 0), node.has("end") ? node.int("end", 0) : undefined);
}

const folds: Readonly<Record<string, Fold>> = {
  Identity: (node) => node.need(0),
  Constant: foldConstantNode,
  Shape: (node) => integerTensor(partOf(node, node.need(0).shape)),
  Size: (node) => integerTensor([sizeOf(node.need(0).shape)], []),
  Reshape: foldReshape,
  Flatten(node) {
    const tensor = node.need(0);
    const axis = axisOf(node, node.int("axis", 1), tensor.shape.length + 1);
    return withShape(tensor, [sizeOf(tensor.shape.slice(0, axis)), sizeOf(tensor.shape.slice(axis))]);
  },
  Squeeze(node) {
    const tensor = node.need(0);
    const axes = axesOf(node, tensor.shape.length) ?? tensor.shape.flatMap((extent, i) => (extent === 1 ? [i] : []));
    if (axes.some((axis) => tensor.shape[axis] !== 1)) throw node.unsupported(`axes ${axes.join(", ")} wider than 1`);
    return withShape(
      tensor,
      tensor.shape.filter((_, i) => !axes.includes(i)),
    );
  },
  Unsqueeze(node) {
    const tensor = node.need(0);
    const stated = node.opset < 13 ? node.ints("axes") : node.constant(1)?.integers();
    const rank = tensor.shape.length + (stated?.length ?? 0);
    const axes = (stated ?? []).map((axis) => axisOf(node, axis, rank));
    const extents = [...tensor.shape];
    return withShape(
      tensor,
      Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (extents.shift() ?? 1))),
    );
  },
  Transpose(node, context) {
    const tensor = node.need(0);
    const { shape } = tensor;
    const order = node.ints("perm") ?? shape.map((_, i) => shape.length - 1 - i);
    if (
      order.length !== shape.length ||
      new Set(order).size !== shape.length ||
      order.some((axis) => !(axis in shape))
    ) {
      throw node.unsupported(`attribute perm ${order.join(", ")} for [${shape.join(", ")}]`);
    }
    const strides = stridesOf(shape);
    const at = <T>(list: readonly T[]) => order.map((axis) => list[axis] as T);
    return view(tensor, at(shape), at(strides), 0, context);
  },
  Slice: foldSlice,
  Gather: foldGather,
  Concat: foldConcat,
  Expand(node, context) {
    const tensor = node.need(0);
    const target = knownShape(node, node.need(1).integers());
    const shape = broadcast(node, tensor.shape, target);
    return view(tensor, shape, broadcastStrides(tensor.shape, shape), 0, context);
  },
  ConstantOfShape(node, context) {
    const shape = knownShape(node, node.need(0).integers());
    const value = node.tensor("value");
    const filled = value ?? floatTensor([1], () => Float32Array.of(0));
    return view(
      filled,
      shape,
      shape.map(() => 0),
      0,
      context,
    );
  },
  Cast(node, context) {
    const tensor = node.need(0);
    const to = node.int("to", 0);
    const isInteger = to === INT32 || to === INT64;
    if (!isInteger && to !== FLOAT) throw node.unsupported(`attribute to ${to}, expected FLOAT, INT32 or INT64`);
    if (isInteger === tensor.isInteger) return tensor;
    spend(sizeOf(tensor.shape), context, node);
    return isInteger
      ? integersFrom(tensor.shape, () => Array.from(tensor.floats(), Math.trunc))
      : floatTensor(tensor.shape, () => Float32Array.from(tensor.integers()));
  },
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary(
    (a, b) => a / b,
    (a, b) => Math.trunc(a / b),
  ),
  Pow: binary((a, b) => a ** b),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((a) => 1 / a),
  Neg: unary((a) => -a),
  ReduceProd(node) {
    const tensor = node.need(0);
    const axes = axesOf(node, tensor.shape.length);
    if (!tensor.isInteger || tensor.shape.length !== 1 || (axes && axes.length !== 1)) {
      throw node.unsupported(`[${tensor.shape.join(", ")}], expected whole numbers along one axis`);
    }
    const keeps = node.int("keepdims", 1) !== 0;
    return integerTensor([tensor.integers().reduce((product, value) => product * value, 1)], keeps ? [1] : []);
  },
};

/** TensorProto.DataType. */
const [FLOAT, INT32, INT64] = [1, 6, 7];

function foldConstantNode(node: NodeView): OnnxTensor {
  const tensor = node.tensor("value");
  if (tensor) return tensor;
  const [number, whole] = [node.floats("value_floats"), node.ints("value_ints")];
  if (number) return floatTensor([number.length], () => Float32Array.from(number));
  if (whole) return integerTensor(whole);
  if (node.has("value_float")) {
    const value = node.float("value_float", 0);
    return floatTensor([], () => Float32Array.of(value));
  }
  if (node.has("value_int")) return integerTensor([node.int("value_int", 0)], []);
  throw node.unsupported("a constant of another type");
}

function foldReshape(node: NodeView): OnnxTensor {
  const tensor = node.need(0);
  const target = node.need(1).integers();
  const copies = node.int("allowzero", 0) === 0;
  const extents = target.map((extent, i) => (extent === 0 && copies ? (tensor.shape[i] ?? Number.NaN) : extent));
  const known = sizeOf(extents.filter((extent) => extent !== -1));
  const shape = extents.map((extent) => (extent === -1 ? sizeOf(tensor.shape) / known : extent));
  if (!shape.every((extent) => Number.isInteger(extent) && extent >= 0) || sizeOf(shape) !== sizeOf(tensor.shape)) {
    throw node.unsupported(`a shape [${target.join(", ")}] for [${tensor.shape.join(", ")}]`);
  }
  return withShape(tensor, shape);
}

function foldSlice(node: NodeView, context: NodeContext): OnnxTensor {
  const tensor = node.need(0);
  const isOld = node.opset < 10;
  const part = (place: number, name: string) => (isOld ? node.ints(name) : node.constant(place)?.integers());
  const starts = part(1, "starts") ?? [];
  const ends = part(2, "ends") ?? [];
  const axes = part(3, "axes") ?? starts.map((_, i) => i);
  const steps = (isOld ? undefined : node.constant(4)?.integers()) ?? starts.map(() => 1);
  const shape = [...tensor.shape];
  const strides = [...stridesOf(tensor.shape)];
  let offset = 0;
  for (const [i, given] of axes.entries()) {
    const axis = axisOf(node, given, shape.length);
    const extent = tensor.shape[axis] as number;
    const step = steps[i] ?? 1;
    if (step < 1) throw node.unsupported(`a step ${step}`);
    const at = (place = 0) => Math.min(extent, Math.max(0, place < 0 ? place + extent : place));
    const [start, end] = [at(starts[i]), at(ends[i])];
    offset += start * (strides[axis] as number);
    shape[axis] = Math.max(0, Math.ceil((end - start) / step));
    strides[axis] = (strides[axis] as number) * step;
  }
  return view(tensor, shape, strides, offset, context);
}

function foldGather(node: NodeView, context: NodeContext): OnnxTensor {
  const tensor = node.need(0);
  const chosen = node.need(1);
  const axis = axisOf(node, node.int("axis", 0), tensor.shape.length);
  const extent = tensor.shape[axis] as number;
  const places = chosen.integers().map((place) => (place < 0 ? place + extent : place));
  if (places.some((place) => !(place >= 0 && place < extent))) throw node.unsupported(`indices ${places.join(", ")}`);
  const [before, after] = [tensor.shape.slice(0, axis), tensor.shape.slice(axis + 1)];
  const shape = [...before, ...chosen.shape, ...after];
  const run = sizeOf(after);
  const all = function* () {
    for (let row = 0; row < sizeOf(before); row++) {
      for (const place of places) for (let i = 0; i < run; i++) yield (row * extent + place) * run + i;
    }
  };
  return picked(tensor, shape, all, context, node);
}

function foldConcat(node: NodeView, context: NodeContext): OnnxTensor {
  const tensors = Array.from({ length: node.inputCount }, (_, place) => node.need(place));
  const [first] = tensors;
  if (!first) throw new CheckpointError(`${node.what}: input 1 is missing`);
  const axis = axisOf(node, node.int("axis", 0), first.shape.length);
  const rest = (shape: Shape) => shape.toSpliced(axis, 1);
  if (
    tensors.some(
      ({ shape, isInteger }) => !equalShapes(rest(shape), rest(first.shape)) || isInteger !== first.isInteger,
    )
  ) {
    throw node.unsupported("inputs of different shapes or types");
  }
  const shape = first.shape.with(
    axis,
    tensors.reduce((sum, each) => sum + (each.shape[axis] as number), 0),
  );
  spend(sizeOf(shape), context, node);
  const join = <T>(values: readonly ArrayLike<T>[], into: (value: T) => void) => {
    for (let row = 0; row < sizeOf(shape.slice(0, axis)); row++) {
      for (const [i, { shape: own }] of tensors.entries()) {
        const run = sizeOf(own.slice(axis));
        for (let j = row * run; j < (row + 1) * run; j++) into((values[i] as ArrayLike<T>)[j] as T);
      }
    }
  };
  const collected = (values: readonly ArrayLike<number>[]) => {
    const result: number[] = [];
    join(values, (value) => result.push(value));
    return result;
  };
  if (first.isInteger) return integersFrom(shape, () => collected(tensors.map((each) => each.integers())));
  return floatTensor(shape, () => Float32Array.from(collected(tensors.map((each) => each.floats()))));
}

function unary(of: (a: number) => number): Fold {
  return (node, context) => {
    const tensor = node.need(0);
    spend(sizeOf(tensor.shape), context, node);
    if (tensor.isInteger) return integersFrom(tensor.shape, () => tensor.integers().map(of));
    return floatTensor(tensor.shape, () => tensor.floats().map(of));
  };
}

function binary(of: (a: number, b: number) => number, ofIntegers = of): Fold {
  return (node, context) => {
    const [a, b] = [node.need(0), node.need(1)];
    if (a.isInteger !== b.isInteger) throw node.unsupported("inputs of different types");
    const shape = broadcast(node, a.shape, b.shape);
    const [left, right] = [a, b].map((each) => view(each, shape, broadcastStrides(each.shape, shape), 0, context));
    if (!left || !right) throw node.unsupported("a missing input");
    if (a.isInteger) {
      return integersFrom(shape, () => {
        const others = right.integers();
        return left.integers().map((value, i) => ofIntegers(value, others[i] as number));
      });
    }
    return floatTensor(shape, () => {
      const others = right.floats();
      return left.floats().map((value, i) => of(value, others[i] as number));
    });
  };
}

function axisOf(node: NodeView, axis: number, rank: number): number {
  const place = axis < 0 ? axis + rank : axis;
  if (place >= 0 && place < rank) return place;
  throw node.unsupported(`axis ${axis} of ${rank}`);
}

/** Axes of an attribute, or of the second input since opset 13. */
function axesOf(node: NodeView, rank: number): readonly number[] | undefined {
  const stated = node.ints("axes") ?? node.constant(1)?.integers();
  return stated?.map((axis) => axisOf(node, axis, rank));
}

function knownShape(node: NodeView, shape: readonly number[]): Shape {
  if (shape.every((extent) => Number.isInteger(extent) && extent >= 0)) return shape;
  throw node.unsupported(`a shape [${shape.join(", ")}]`);
}
