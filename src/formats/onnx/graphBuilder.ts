/** Collects nodes and constants of an ONNX graph before encoding. */
import type { Op, OpKind } from "../../engine/engine.ts";
import type { RoundedParameter } from "../../int8.ts";
import { layerKinds } from "../../layers/kinds.ts";
import type { LrnForm, OnnxAttributes, OnnxGraph, OnnxValues } from "../../layers/onnxGraph.ts";
import { type Network, operations } from "../../network/network.ts";
import type { Shape } from "../../shape.ts";

export interface OnnxNode {
  readonly name: string;
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: OnnxAttributes;
}

/** A constant that follows from the network. */
export interface OnnxConstant {
  readonly name: string;
  readonly shape: Shape;
  readonly values: () => OnnxValues;
}

/** A learned tensor, whose values are read on writing. */
export interface OnnxParameter {
  readonly name: string;
  readonly shape: Shape;
  /** Absent for unquantized f32. */
  readonly rounded?: RoundedParameter | undefined;
}

/** A graph with one input and one output; parameters have names and shapes only. */
export interface OnnxDescription {
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly parameters: readonly OnnxParameter[];
}

/** Builds nodes layer by layer, with unique names. */
export interface OnnxGraphBuilder extends OnnxGraph {
  /** Starts a layer: later nodes get its name. */
  enter(layer: string): void;
  /** Returns the nodes and constants, with the last value renamed to `output`. */
  finish(last: string, output: string): Pick<OnnxDescription, "nodes" | "constants">;
}

/** `taken`: names that values must not use. */
export function createGraphBuilder(lrn: LrnForm, taken: readonly string[]): OnnxGraphBuilder {
  const names = new Set(taken);
  const nodes: OnnxNode[] = [];
  const constants: OnnxConstant[] = [];
  let layer = "";
  const unused = (wanted: string) => {
    let name = wanted;
    for (let i = 2; names.has(name); i++) name = `${wanted}.${i}`;
    names.add(name);
    return name;
  };
  const node: OnnxGraph["node"] = (operator, inputs, attributes = {}, role) => {
    const name = unused(role === undefined ? layer : `${layer}.${role}`);
    nodes.push({ name, operator, inputs, output: name, attributes });
    return name;
  };
  return {
    lrn,
    enter(name) {
      layer = name;
    },
    node,
    constant(role, shape, values) {
      const name = unused(`${layer}.${role}`);
      constants.push({ name, shape, values });
      return name;
    },
    finish(last, output) {
      if (!nodes.some((each) => each.output === last)) node("Identity", [last]);
      const [renamed, end] = [nodes.slice(0, -1), nodes.at(-1)];
      return { nodes: end ? [...renamed, { ...end, output }] : [], constants };
    },
  };
}

/** Writes every layer of a network, from `input` on; returns the last value. */
export function writeLayers(network: Network, input: string, graph: OnnxGraphBuilder): string {
  let value = input;
  for (const op of operations(network)) {
    graph.enter(op.name);
    value = writeLayer(op as Op, value, graph);
  }
  return value;
}

/** Writes one layer; returns its output. */
export function writeLayer<K extends OpKind>(op: Op<K>, input: string, graph: OnnxGraph): string {
  return layerKinds[op.kind].onnx(op, input, graph);
}
