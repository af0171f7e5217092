/**
 * Operators that select, join or reshape constants.
 *
 * Source: https://github.com/onnx/onnx/blob/main/docs/Operators.md.
 */
import { CheckpointError } from "../../errors.ts";
import { equalShapes, type Shape, sizeOf, stridesOf } from "../../shape.ts";
import {
  broadcast,
  broadcastTo,
  type Fold,
  floatTensor,
  integerTensor,
  picked,
  spend,
  view,
  withShape,
} from "./computedTensors.ts";
import { axesOf, axisOf, type NodeContext, type NodeView, unsqueezed } from "./node.ts";
import type { OnnxTensor } from "./tensors.ts";

/** By operator. */
export const indexingFolds: Readonly<Record<string, Fold>> = {
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
    return withShape(tensor, unsqueezed(node, tensor.shape).wide);
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
    return view(tensor, { shape: at(shape), strides: at(strides), offset: 0 }, context);
  },
  Slice: foldSlice,
  Gather: foldGather,
  Concat: foldConcat,
  Expand(node, context) {
    const tensor = node.need(0);
    const target = knownShape(node, node.need(1).integers());
    return broadcastTo(broadcast(node, tensor.shape, target), tensor, context);
  },
  ConstantOfShape(node, context) {
    const shape = knownShape(node, node.need(0).integers());
    const value = node.tensor("value") ?? floatTensor(Float32Array.of(0));
    return picked(value, shape, (from, to) => fill(to, from[0] as number, sizeOf(shape)), context, node);
  },
};

function fill(values: Float32Array | number[], value: number, count: number): void {
  if (values instanceof Float32Array) values.fill(value);
  else for (let i = 0; i < count; i++) values.push(value);
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
    if (step === 0) throw node.unsupported("a step 0");
    // Backwards, the first place is an element, and the place before element 0 ends the slice.
    const [least, most] = step > 0 ? [0, extent] : [-1, extent - 1];
    const at = (place = 0) => Math.min(most, Math.max(least, place < 0 ? place + extent : place));
    const [start, end] = [at(starts[i]), at(ends[i])];
    offset += start * (strides[axis] as number);
    shape[axis] = Math.max(0, Math.ceil((end - start) / step));
    strides[axis] = (strides[axis] as number) * step;
  }
  return view(tensor, { shape, strides, offset }, context);
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
  const rows = sizeOf(before);
  const copy = (from: ArrayLike<number>, to: Float32Array | number[]) => {
    let at = 0;
    for (let row = 0; row < rows; row++) {
      for (const place of places)
        for (let i = 0; i < run; i++) to[at++] = from[(row * extent + place) * run + i] as number;
    }
  };
  return picked(tensor, shape, copy, context, node);
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
  const rows = sizeOf(shape.slice(0, axis));
  const joined = <A extends Float32Array | number[]>(values: readonly ArrayLike<number>[], into: A): A => {
    let at = 0;
    for (let row = 0; row < rows; row++) {
      for (const [i, { shape: own }] of tensors.entries()) {
        const run = sizeOf(own.slice(axis));
        for (let j = row * run; j < (row + 1) * run; j++) into[at++] = (values[i] as ArrayLike<number>)[j] as number;
      }
    }
    return into;
  };
  if (first.isInteger) {
    const integers = tensors.map((each) => each.integers());
    return integerTensor(joined(integers, []), shape);
  }
  const floats = tensors.map((each) => each.floats());
  return floatTensor(joined(floats, new Float32Array(sizeOf(shape))), shape);
}

function knownShape(node: NodeView, shape: readonly number[]): Shape {
  if (shape.every((extent) => Number.isInteger(extent) && extent >= 0)) return shape;
  throw node.unsupported(`a shape [${shape.join(", ")}]`);
}
