/** Nodes of an ONNX graph: attributes and inputs. */
import { CheckpointError, UnsupportedError } from "../../errors.ts";
import type { Shape } from "../../shape.ts";
import { type FileWindow, MAX_PADDING, type Pair } from "../fileConvolution.ts";
import type { AttributeMessage, NodeMessage } from "./messages.ts";
import { type ExternalBytes, type OnnxTensor, tensorOf } from "./tensors.ts";

/** A node whose first input is the chain; the other inputs are constants. */
export interface NodeView {
  /** Beginning of messages: `model.onnx: Conv "conv1"`. */
  readonly what: string;
  readonly operator: string;
  readonly name: string;
  /** Version of the operator set. */
  readonly opset: number;
  /** Batch size, if the graph's input fixes it. */
  readonly batchSize: number | undefined;
  /** The constant at an input, or undefined if omitted. Throws UnsupportedError if the input is not constant. */
  constant(place: number): OnnxTensor | undefined;
  /** The constant at a required input. */
  need(place: number): OnnxTensor;
  isConstant(place: number): boolean;
  has(attribute: string): boolean;
  /** Number of inputs, omitted ones included. */
  readonly inputCount: number;
  /** Name of an input; empty if omitted. */
  inputName(place: number): string;
  int(name: string, missing: number): number;
  float(name: string, missing: number): number;
  text(name: string, missing: string): string;
  ints(name: string): readonly number[] | undefined;
  floats(name: string): readonly number[] | undefined;
  tensor(name: string): OnnxTensor | undefined;
  /** Requires an attribute, if present, to have one value. */
  only(name: string, value: number): void;
  unsupported(why: string): UnsupportedError;
}

/** The graph around a node. `constant` throws UnsupportedError, beginning with `what`, for a value that is none. */
export interface NodeContext {
  readonly origin: string;
  readonly opset: number;
  readonly batchSize: number | undefined;
  readonly external: ExternalBytes;
  /** Number of values that may still be computed from constants. */
  readonly budget: { left: number };
  constant(name: string, what: string): OnnxTensor;
  isConstant(name: string): boolean;
}

/** Beginning of messages about a node: `model.onnx: Conv "conv1"`. */
export function describeNode({ name = "", opType = "" }: NodeMessage, origin: string): string {
  return `${origin}: ${opType}${name === "" ? "" : ` "${name}"`}`;
}

/** A view of a node, and a check that throws UnsupportedError for an attribute that was not read. */
export function viewNode(node: NodeMessage, context: NodeContext): { view: NodeView; checkAttributes(): void } {
  const what = describeNode(node, context.origin);
  const attributes = new Map<string, AttributeMessage>();
  for (const attribute of node.attribute) {
    const { name = "" } = attribute;
    if (attributes.has(name)) throw new CheckpointError(`${what}: attribute ${name} occurs twice`);
    attributes.set(name, attribute);
  }
  const asked = new Set<string>();
  const get = <V>(name: string, read: (attribute: AttributeMessage) => V | undefined): V | undefined => {
    asked.add(name);
    const attribute = attributes.get(name);
    if (!attribute) return undefined;
    const value = read(attribute);
    if (value === undefined) throw new CheckpointError(`${what}: attribute ${name} has an unexpected type`);
    return value;
  };
  const view: NodeView = {
    what,
    operator: node.opType ?? "",
    name: node.name ?? "",
    opset: context.opset,
    batchSize: context.batchSize,
    inputCount: node.input.length,
    constant(place) {
      const name = node.input[place] ?? "";
      return name === "" ? undefined : context.constant(name, what);
    },
    need(place) {
      const constant = view.constant(place);
      if (!constant) throw new CheckpointError(`${what}: input ${place + 1} is missing`);
      return constant;
    },
    isConstant: (place) => context.isConstant(node.input[place] ?? ""),
    has: (name) => attributes.has(name),
    inputName: (place) => node.input[place] ?? "",
    // Proto3 writers omit zeros.
    int: (name, missing) => get(name, ({ i = 0 }) => i) ?? missing,
    float: (name, missing) => get(name, ({ f = 0 }) => f) ?? missing,
    text: (name, missing) => get(name, ({ s }) => s && Buffer.from(s).toString()) ?? missing,
    ints: (name) => get(name, ({ ints }) => ints),
    floats: (name) => get(name, ({ floats }) => floats),
    tensor: (name) => get(name, ({ t }) => t && tensorOf(t, context.external, context.origin)),
    only(name, value) {
      const got = view.int(name, value);
      if (got !== value) throw view.unsupported(`attribute ${name} ${got}, expected ${value}`);
    },
    unsupported: (why) => new UnsupportedError(`${what}: not supported: ${why}`),
  };
  const checkAttributes = () => {
    // A hint to save memory, of the first versions.
    if (context.opset < 6) asked.add("consumed_inputs");
    for (const name of attributes.keys()) if (!asked.has(name)) throw view.unsupported(`attribute ${name}`);
  };
  return { view, checkAttributes };
}

/** True for ONNX's own operators. */
export function isOnnxDomain(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}

/** An axis of a tensor of this rank; a negative one counts from the end. Throws UnsupportedError if there is no such axis. */
export function axisOf(node: NodeView, axis: number, rank: number): number {
  const place = axis < 0 ? axis + rank : axis;
  if (place >= 0 && place < rank) return place;
  throw node.unsupported(`axis ${axis} of ${rank}`);
}

/** Axes of the attribute `axes`, or of the second input, which replaced it; undefined if the node has neither. Errors as of `axisOf`. */
export function axesOf(node: NodeView, rank: number): readonly number[] | undefined {
  const stated = node.ints("axes") ?? node.constant(1)?.integers();
  return stated?.map((axis) => axisOf(node, axis, rank));
}

/** The axes of an Unsqueeze, and the shape with them, each of extent 1. Throws UnsupportedError for an axis that does not exist, or is there twice. */
export function unsqueezed(node: NodeView, shape: Shape): { readonly axes: readonly number[]; readonly wide: Shape } {
  const stated = (node.opset < 13 ? node.ints("axes") : node.constant(1)?.integers()) ?? [];
  const rank = shape.length + stated.length;
  const axes = stated.map((axis) => axisOf(node, axis, rank));
  if (new Set(axes).size < axes.length) throw node.unsupported(`axes ${stated.join(", ")}, expected each once`);
  const extents = [...shape];
  return { axes, wide: Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (extents.shift() as number))) };
}

/** Reads the window attributes; `kernel` is the default size. Throws UnsupportedError unless the window has two axes. */
export function windowOf(node: NodeView, [, height, width]: readonly number[], missing?: Pair): FileWindow {
  if (height === undefined || width === undefined) throw node.unsupported("an input without height and width");
  const pair = (name: string, otherwise: Pair): Pair => {
    const [first, second, ...more] = node.ints(name) ?? otherwise;
    if (first === undefined || second === undefined || more.length > 0) {
      throw node.unsupported(`attribute ${name}: expected two numbers`);
    }
    if (first < 1 || second < 1) throw new CheckpointError(`${node.what}: attribute ${name} ${first}, ${second}`);
    return [first, second];
  };
  const kernel = pair("kernel_shape", missing ?? [0, 0]);
  const stride = pair("strides", [1, 1]);
  const dilation = pair("dilations", [1, 1]);
  const pads = node.ints("pads") ?? [0, 0, 0, 0];
  const [top = 0, left = 0, bottom = 0, right = 0] = pads;
  if (pads.length !== 4) throw node.unsupported("attribute pads: expected four numbers");
  if (pads.some((pad) => pad < 0 || pad > MAX_PADDING)) throw node.unsupported(`attribute pads ${pads.join(", ")}`);
  const auto = node.text("auto_pad", "NOTSET");
  const given = { kernel, stride, dilation, padBefore: [top, left], padAfter: [bottom, right] } as const;
  if (auto === "NOTSET") return given;
  if (pads.some((pad) => pad !== 0)) throw node.unsupported(`attribute auto_pad ${auto} with pads`);
  if (auto === "VALID") return given;
  if (auto !== "SAME_UPPER" && auto !== "SAME_LOWER") throw node.unsupported(`attribute auto_pad ${auto}`);
  return { ...given, ...samePadding(given, [height, width], auto === "SAME_UPPER") };
}

/**
 * Gives ⌈extent / stride⌉ windows; an odd pixel of padding goes to the end or to the beginning. Source: ONNX, operator Conv, `auto_pad`.
 */
function samePadding({ kernel, stride, dilation }: FileWindow, extents: Pair, toEnd: boolean) {
  const pads = ([0, 1] as const).map((axis) => {
    const reach = (kernel[axis] - 1) * dilation[axis] + 1;
    const total = Math.max(0, (Math.ceil(extents[axis] / stride[axis]) - 1) * stride[axis] + reach - extents[axis]);
    const [small, large] = [Math.floor(total / 2), Math.ceil(total / 2)];
    return toEnd ? [small, large] : [large, small];
  }) as unknown as readonly [Pair, Pair];
  const [rows, columns] = pads;
  return { padBefore: [rows[0], columns[0]], padAfter: [rows[1], columns[1]] } as const;
}

/** A value of the graph: a constant, the chain after a number of nodes with the shape of one image, or an error on use. */
export type Value =
  | { readonly constant: OnnxTensor }
  | { readonly step: number; readonly shape: Shape }
  | { readonly refused: (use: string) => UnsupportedError };
