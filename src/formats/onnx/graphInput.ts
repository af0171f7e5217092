/** The input of an ONNX graph: batch size, shape of one image, and order of its axes. */
import { UnsupportedError } from "../../errors.ts";
import type { Shape } from "../../shape.ts";
import { looksChannelsLast } from "../chainAxes.ts";
import type { NodeMessage, ValueInfoMessage } from "./messages.ts";
import { isFloat } from "./tensors.ts";

/** Facts that the file may not contain. */
export interface OnnxReadOptions {
  /** Height and width of an image in pixels, for a file that leaves them open, or whose input is a vector. */
  readonly inputSize?: number | undefined;
}

/** Declared input of a graph. */
export interface GraphInput {
  /** Undefined for any. */
  readonly batchSize: number | undefined;
  /** Shape of one image, in the file's order of axes. */
  readonly shape: Shape;
  /** True if that is [height, width, channels]. */
  readonly isChannelsLast: boolean;
}

/**
 * Reads the declared input. Throws UnsupportedError for a type other than floats, or for open extents that `inputSize` does not fill.
 */
export function inputOf(
  { name = "", type }: ValueInfoMessage,
  nodes: readonly NodeMessage[],
  { inputSize }: OnnxReadOptions,
  origin: string,
): GraphInput {
  const tensor = type?.tensorType;
  if (!isFloat(tensor?.elemType)) throw new UnsupportedError(`${origin}: input "${name}" is not a tensor of floats`);
  const [batch, ...rest] = tensor?.shape?.dim ?? [];
  if (!batch) throw new UnsupportedError(`${origin}: input "${name}" has no axes`);
  const stated = rest.map(({ value }) => (value !== undefined && value > 0 && Number.isSafeInteger(value) ? value : 0));
  const isLast = stated.length === 3 && isChannelsLast(stated, name, nodes);
  // Only height and width of an image may be open.
  const sides = stated.length === 3 ? (isLast ? [0, 1] : [1, 2]) : [];
  const shape = stated.map((extent, axis) => {
    if (extent > 0) return extent;
    if (sides.includes(axis) && inputSize !== undefined) return inputSize;
    const { parameter, value } = rest[axis] ?? {};
    const remedy = sides.includes(axis) ? "; give height and width with --input-size, or the option inputSize" : "";
    throw new UnsupportedError(
      `${origin}: input "${name}": an extent is ${parameter ? `"${parameter}"` : (value ?? "open")}; expected fixed extents, except the batch's${remedy}`,
    );
  });
  const batchSize = batch.value !== undefined && batch.value > 0 ? batch.value : undefined;
  return { batchSize, shape, isChannelsLast: isLast };
}

/** Operators that treat every value alike, and so leave the order of axes open. */
const elementwise: ReadonlySet<string> = new Set(
  "Identity Cast Relu Tanh Sigmoid Clip Dropout Add Sub Mul Div Pad".split(" "),
);

/**
 * True for an input [height, width, channels] of one or three channels. The first operator that is not elementwise tells: a transposition to
 * channels first, or a reshaping, which convolutional networks in channels first do not begin with.
 */
function isChannelsLast(shape: Shape, input: string, nodes: readonly NodeMessage[]): boolean {
  if (!looksChannelsLast(shape)) return false;
  const values = new Set([input]);
  for (const node of nodes) {
    const { opType = "" } = node;
    if (opType === "Shape" || !node.input.some((name) => values.has(name))) continue;
    if (!elementwise.has(opType)) return opType === "Transpose" || opType === "Reshape" || opType === "Flatten";
    for (const name of node.output) values.add(name);
  }
  return false;
}
