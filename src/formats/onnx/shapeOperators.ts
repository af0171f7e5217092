/** ONNX operators that reshape, transpose or average the value of the chain. */
import { equalShapes, type Shape, sizeOf } from "../../shape.ts";
import type { ChainBuilder } from "../chainBuilder.ts";
import { addGlobalAverage } from "../pooling.ts";
import { axesOf, type NodeView, unsqueezed } from "./node.ts";
import { layerName, type OperatorReader } from "./operatorReader.ts";
import { isFloat } from "./tensors.ts";

/** By operator. */
export const shapeReaders: Readonly<Record<string, OperatorReader>> = {
  Flatten(node, chain) {
    const axis = node.int("axis", 1);
    const axes = chain.shape.length + 1;
    if (axis !== 1 && axis !== 1 - axes) throw node.unsupported(`attribute axis ${axis}, expected 1`);
    addFlatten(node, chain);
  },
  Reshape: readReshape,
  Squeeze(node, chain) {
    const { shape } = chain;
    const given = imageAxes(node, chain);
    const axes = given ?? shape.flatMap((extent, axis) => (extent === 1 ? [axis] : []));
    const isUnit = axes.every((axis) => shape[axis] === 1) && (given !== undefined || node.batchSize !== 1);
    const rest = shape.filter((_, axis) => !axes.includes(axis));
    if (isUnit && rest.length === 2 && chain.reshape(rest)) return;
    if (!isUnit || rest.length > 1) throw node.unsupported(`of [N, ${shape.join(", ")}], expected axes of extent 1`);
    addFlatten(node, chain);
  },
  Unsqueeze(node, chain) {
    const { shape } = chain;
    // NaN stands for the batch.
    const { axes, wide } = unsqueezed(node, [Number.NaN, ...shape]);
    const [batch, ...next] = wide;
    if (!Number.isNaN(batch) || !chain.reshape(next))
      throw node.unsupported(`axes ${axes.join(", ")} of [N, ${shape.join(", ")}]`);
  },
  Transpose(node, chain) {
    const { shape } = chain;
    const [batch, ...order] = node.ints("perm") ?? [];
    const axes = order.map((axis) => axis - 1);
    const isOrder = new Set(axes).size === shape.length && axes.every((axis) => axis in shape);
    if (batch !== 0 || !isOrder) throw node.unsupported(`attribute perm ${[batch, ...order].join(", ")}`);
    chain.transpose(axes);
  },
  ReduceMean: readReduceMean,
  Cast(node) {
    const to = node.int("to", 0);
    if (!isFloat(to)) throw node.unsupported(`attribute to ${to}, expected a type of floats`);
  },
};

function addFlatten(node: NodeView, chain: ChainBuilder): void {
  if (chain.shape.length > 1) chain.flatten(layerName(node, chain, "flatten"));
}

/** Reshape to [batch, features], to the current shape, or of an input vector to an image. */
function readReshape(node: NodeView, chain: ChainBuilder): void {
  const [batch = 1, ...target] = node.ints("shape") ?? node.need(1).integers();
  // A batch of one image may lose its axis.
  const features = sizeOf(chain.shape);
  if (target.length === 0 && node.batchSize === 1 && (batch === features || batch === -1)) {
    addFlatten(node, chain);
    return;
  }
  const copiesZeros = node.int("allowzero", 0) === 0;
  const keepsBatch = Number.isNaN(batch) || batch === -1 || batch === node.batchSize || (batch === 0 && copiesZeros);
  const shape = inferred(target, batch, copiesZeros, chain.shape);
  if (keepsBatch && shape && equalShapes(shape, chain.shape)) return;
  if (keepsBatch && shape?.length === 1) addFlatten(node, chain);
  else if (!keepsBatch || !shape || !chain.reshape(shape)) {
    const shown = [batch, ...target].map((extent) => (Number.isNaN(extent) ? "N" : extent));
    throw node.unsupported(`a shape [${shown.join(", ")}] for [N, ${chain.shape.join(", ")}]`);
  }
}

/** Shape of one image; undefined unless it has as many values as `current`. With the batch at -1 all other extents must be known. */
function inferred(target: Shape, batch: number, copiesZeros: boolean, current: Shape): Shape | undefined {
  const known = target.map((extent, i) => (extent === 0 && copiesZeros ? (current[i] ?? Number.NaN) : extent));
  const open = known.filter((extent) => extent === -1).length;
  const product = sizeOf(known.filter((extent) => extent !== -1));
  const features = sizeOf(current);
  const fits = open === 0 ? product === features : open === 1 && batch !== -1 && features % product === 0;
  return fits ? known.map((extent) => (extent === -1 ? features / product : extent)) : undefined;
}

/** Axes of one image that the node names, the batch as −1; undefined if it names none. */
function imageAxes(node: NodeView, { shape }: ChainBuilder): readonly number[] | undefined {
  return axesOf(node, shape.length + 1)?.map((axis) => axis - 1);
}

/** The mean over height and width. */
function readReduceMean(node: NodeView, chain: ChainBuilder): void {
  const { shape, channelAxis } = chain;
  const axes = imageAxes(node, chain);
  const isGlobal = axes?.length === 2 && new Set([...axes, channelAxis]).size === 3;
  if (shape.length !== 3 || !isGlobal || !axes.every((axis) => axis in shape)) {
    throw node.unsupported(
      `a mean over ${axes?.join(", ") ?? "all axes"} of [N, ${shape.join(", ")}], expected height and width`,
    );
  }
  if (node.has("noop_with_empty_axes")) node.only("noop_with_empty_axes", 0);
  const keeps = node.int("keepdims", 1) !== 0;
  addGlobalAverage(chain, layerName(node, chain, "average"));
  if (keeps) chain.reshape(shape.map((extent, axis) => (axis === channelAxis ? extent : 1)));
  else chain.flatten(chain.unusedName("flatten"));
}
