/** Reads ONNX models whose graph is a chain of supported layers. */
import { basename } from "node:path";
import { CheckpointError, UnsupportedError } from "../../errors.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import { ChainBuilder } from "../chainBuilder.ts";
import { readMessage } from "../containers/protobuf.ts";
import { readWholeFile } from "../containers/wholeFile.ts";
import { type ImportedModel, importedModel } from "../importedModel.ts";
import { atSize } from "./atSize.ts";
import { foldConstant, foldShape } from "./foldConstants.ts";
import { inputOf, type OnnxReadOptions } from "./graphInput.ts";
import {
  type GraphMessage,
  type ModelMessage,
  modelTable,
  type NodeMessage,
  type ValueInfoMessage,
} from "./messages.ts";
import { describeNode, isOnnxDomain, type NodeContext, type Value, viewNode } from "./node.ts";
import { operatorReaders } from "./operators.ts";
import { readOwnModel } from "./ownModel.ts";
import { convertedFloat, type ExternalBytes, readExternal, tensorOf } from "./tensors.ts";

/** Supported operator set versions. */
const [OLDEST_OPSET, NEWEST_OPSET] = [1, 25];

/**
 * Reads an ONNX file, and external data in its folder.
 *
 * Throws CheckpointError if the file is unreadable, damaged, or refers to files elsewhere, and UnsupportedError with operator and attribute
 * for an unsupported feature.
 */
export async function readOnnxFile(path: string, options: OnnxReadOptions = {}): Promise<ImportedModel> {
  const model = parseModel(await readWholeFile(path), path);
  const constants = (model.graph?.node ?? []).flatMap((node) => node.attribute.flatMap(({ t }) => t ?? []));
  const external = await readExternal(path, [...(model.graph?.initializer ?? []), ...constants]);
  return readModel(model, path, external, options);
}

/** Reads a model from memory; refuses external data. Messages begin with `origin`. */
export function readOnnx(bytes: Uint8Array, origin: string, options: OnnxReadOptions = {}): ImportedModel {
  return readModel(parseModel(bytes, origin), origin, new Map(), options);
}

function parseModel(bytes: Uint8Array, origin: string): ModelMessage {
  return readMessage(modelTable, bytes, origin);
}

function readModel(
  model: ModelMessage,
  origin: string,
  external: ExternalBytes,
  options: OnnxReadOptions,
): ImportedModel {
  const { graph } = model;
  if (!graph) throw new CheckpointError(`${origin}: not an ONNX model (expected a graph, got none)`);
  const opset = opsetOf(model, origin);
  const producer = [model.producerName, model.producerVersion].filter(Boolean).join(" ") || "an unknown program";
  const own = readOwnModel(model, graph, opset, external, origin);
  if (own) return { ...own, metadata: { ...own.metadata, producer } };
  const name = isTelling(graph.name) ? graph.name : basename(origin).replace(/\.onnx$/i, "") || "onnx";
  const read = atSize(options.inputSize, (inputSize) =>
    readGraph(graph, opset, external, origin, {
      ...{ name, source: `ONNX model by ${producer}` },
      options: { ...options, inputSize },
    }),
  );
  return { ...read, metadata: { ...read.metadata, producer } };
}

/** Graph names that PyTorch gives every model: to 1.10, to 2.0, since. Source: pytorch/pytorch, pull requests 71961 and 107408. */
const anyGraph: ReadonlySet<string> = new Set(["torch-jit-export", "torch_jit", "main_graph"]);

function isTelling(name: string | undefined): name is string {
  return name !== undefined && name.trim() !== "" && !anyGraph.has(name);
}

function opsetOf({ opsetImport }: ModelMessage, origin: string): number {
  const versions = opsetImport.filter(({ domain = "" }) => isOnnxDomain(domain));
  const [first] = versions;
  if (!first || versions.length > 1)
    throw new CheckpointError(`${origin}: expected one version of ONNX's operator set`);
  const { version = 0 } = first;
  if (version >= OLDEST_OPSET && version <= NEWEST_OPSET) return version;
  throw new UnsupportedError(`${origin}: opset ${version}, expected ${OLDEST_OPSET} to ${NEWEST_OPSET}`);
}

/** Name and source of a network. */
interface Origin {
  readonly name: string;
  readonly source: string;
  readonly options: OnnxReadOptions;
}

/** Throws UnsupportedError with operator and attribute if the graph is not a chain of supported layers. */
function readGraph(
  graph: GraphMessage,
  opset: number,
  external: ExternalBytes,
  origin: string,
  { name, source, options }: Origin,
): ImportedModel {
  if (graph.sparseInitializer.length > 0) throw new UnsupportedError(`${origin}: sparse initializers`);
  const values = new Map<string, Value>();
  const define: Define = (key, value) => {
    if (values.has(key)) throw new CheckpointError(`${origin}: value "${key}" is defined twice`);
    values.set(key, value);
  };
  for (const tensor of graph.initializer) {
    define(tensor.name ?? "", { constant: tensorOf(tensor, external, origin) });
  }
  const input = onlyInput(graph, values, origin);
  const output = onlyOutput(graph, origin);
  const nodes = neededNodes(graph, output, origin);
  const { batchSize, shape, isChannelsLast } = inputOf(input, nodes, options, origin);
  define(input.name ?? "", { step: 0, shape });
  const chain = new ChainBuilder(shape, origin, { isChannelsLast, inputSize: options.inputSize });
  noteTypes(graph, input, chain);
  const context = contextFor(values, opset, batchSize, external, origin, graph);
  const steps = addNodes(nodes, values, define, context, chain);
  if (stepOf(values, output) !== steps) {
    throw new UnsupportedError(`${origin}: output "${output}" is not the end of a chain of layers`);
  }
  return importedModel(chain.finish(name, source), { producer: "" });
}

/** Notes values of other types of floats, which the network computes in f32. */
function noteTypes({ initializer, node }: GraphMessage, { type }: ValueInfoMessage, chain: ChainBuilder): void {
  const attributes = node.flatMap(({ attribute }) => attribute);
  const casts = node.filter(({ opType }) => opType === "Cast").flatMap(({ attribute }) => attribute);
  const types = [
    type?.tensorType?.elemType,
    ...initializer.map(({ dataType }) => dataType),
    ...attributes.map(({ t }) => t?.dataType),
    ...casts.map(({ name, i }) => (name === "to" ? i : undefined)),
  ];
  const converted = [...new Set(types.flatMap((each) => convertedFloat(each) ?? []))];
  for (const name of converted) {
    const how = name === "float64" ? "rounded to float32" : "computed in float32";
    chain.note(`${name} of the file ${how}`);
  }
}

type Define = (name: string, value: Value) => void;

/** Folds nodes of constants and adds the others to the chain, in order. Returns the number of nodes added. */
function addNodes(
  nodes: readonly NodeMessage[],
  values: ReadonlyMap<string, Value>,
  define: Define,
  context: NodeContext,
  chain: ChainBuilder,
): number {
  let step = 0;
  for (const node of nodes) {
    const what = describeNode(node, context.origin);
    const onChain = node.input.filter((each) => each !== "").filter((each) => isOnChain(values, each, what));
    if (onChain.length === 0) {
      // The first node that is not supported names the reason, however many depend on it.
      const refused = node.input.map((name) => values.get(name)).find((value) => value && "refused" in value);
      defineOutputs(node, refused ?? foldConstant(node, context), define, what);
      continue;
    }
    if (node.opType === "Shape") {
      const { shape: measured } = values.get(onChain[0] as string) as { readonly shape: Shape };
      defineOutputs(node, foldShape(node, measured, context), define, what);
      continue;
    }
    if (onChain.length > 1 || stepOf(values, onChain[0] as string) !== step) {
      throw new UnsupportedError(
        `${what}: not supported: a graph with branches ("${onChain[0]}" is used more than once)`,
      );
    }
    readNode(node, onChain[0] as string, context, chain);
    step++;
    defineOutputs(node, { step, shape: chain.shape }, define, what);
  }
  return step;
}

/** Operators whose first input may be the constant. */
const commutative: ReadonlySet<string> = new Set(["Add", "Mul"]);

function readNode(node: NodeMessage, chainInput: string, context: NodeContext, chain: ChainBuilder): void {
  const what = describeNode(node, context.origin);
  const { opType = "", domain = "" } = node;
  const known = isOnnxDomain(domain);
  const read = known && Object.hasOwn(operatorReaders, opType) ? operatorReaders[opType] : undefined;
  if (!read) {
    throw new UnsupportedError(
      `${what}: operator ${known ? "" : `${domain}.`}${opType} is not supported; expected one of ${Object.keys(operatorReaders).join(", ")}`,
    );
  }
  const { view, checkAttributes } = viewNode(node, context);
  if (node.input[0] !== chainInput && !commutative.has(opType)) {
    throw view.unsupported(`its first input "${node.input[0]}" is a constant (expected the output of a layer)`);
  }
  read(view, chain);
  checkAttributes();
}

function isOnChain(values: ReadonlyMap<string, Value>, name: string, what: string): boolean {
  const value = values.get(name);
  if (!value) throw new CheckpointError(`${what}: its input "${name}" is not defined before it`);
  return "step" in value;
}

function stepOf(values: ReadonlyMap<string, Value>, name: string): number | undefined {
  const value = values.get(name);
  return value && "step" in value ? value.step : undefined;
}

function defineOutputs(node: NodeMessage, value: Value, define: Define, what: string) {
  const [first = "", ...others] = node.output;
  if (first === "") throw new CheckpointError(`${what}: no output`);
  define(first, value);
  others.forEach((name, i) => {
    const refused = (use: string) =>
      new UnsupportedError(`${use}: uses output ${i + 2} of ${what}, which is not supported`);
    if (name !== "") define(name, { refused });
  });
}

function contextFor(
  values: ReadonlyMap<string, Value>,
  opset: number,
  batchSize: number | undefined,
  external: ExternalBytes,
  origin: string,
  { initializer }: GraphMessage,
): NodeContext {
  return {
    origin,
    opset,
    batchSize,
    external,
    // Enough to transpose and scale every tensor, and for the weights of an AlexNet that the graph fills with constants.
    budget: { left: 2 ** 26 + 4 * initializer.reduce((sum, { dims }) => sum + sizeOf(dims), 0) },
    isConstant: (name) => "constant" in (values.get(name) ?? {}),
    constant(name, what) {
      const value = values.get(name);
      if (value && "constant" in value) return value.constant;
      if (value && "refused" in value) throw value.refused(what);
      throw new UnsupportedError(`${what}: not supported: its input "${name}" is not a constant`);
    },
  };
}

/** Nodes that the output depends on, in order. */
function neededNodes({ node }: GraphMessage, output: string, origin: string): readonly NodeMessage[] {
  const needed = new Set([output]);
  const nodes: NodeMessage[] = [];
  for (const each of node.toReversed()) {
    if (!each.output.some((name) => needed.has(name))) continue;
    nodes.push(each);
    for (const name of each.input) needed.add(name);
  }
  if (nodes.length === 0) throw new UnsupportedError(`${origin}: output "${output}" is not computed by any node`);
  return nodes.reverse();
}

/** Finds the input. Files before IR version 4 also list initializers among the inputs. */
function onlyInput({ input }: GraphMessage, values: ReadonlyMap<string, Value>, origin: string): ValueInfoMessage {
  const [first, ...others] = input.filter(({ name = "" }) => !values.has(name));
  if (!first || others.length > 0) {
    const names = input.map(({ name }) => name).join(", ");
    throw new UnsupportedError(`${origin}: expected one input that is not a constant, got ${first ? names : "none"}`);
  }
  return first;
}

function onlyOutput({ output }: GraphMessage, origin: string): string {
  const [first, ...others] = output;
  if (first?.name && others.length === 0) return first.name;
  throw new UnsupportedError(
    `${origin}: expected one output, got ${output.map(({ name }) => name).join(", ") || "none"}`,
  );
}
