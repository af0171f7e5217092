/** Reads ONNX models whose graph is a chain of layers that networks here have. */
import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { CheckpointError, codeOf, messageOf, UnsupportedError } from "../../errors.ts";
import { readMessage } from "../containers/protobufReader.ts";
import type { ImportedModel } from "../importedModel.ts";
import { readExternal } from "./externalData.ts";
import { readGraph } from "./graphReader.ts";
import { type ModelMessage, modelTable } from "./messages.ts";
import { readOwnModel } from "./ownModel.ts";
import type { ExternalBytes } from "./tensors.ts";

/** Operators are known as they were in these versions. */
const [OLDEST_OPSET, NEWEST_OPSET] = [6, 25];
/** What protobuf allows a message. */
const MAX_BYTES = 2 ** 31 - 1;

/**
 * Reads an ONNX file, with what lies beside it in its own folder.
 *
 * Throws CheckpointError if it cannot be read, is damaged, or refers to a file elsewhere; UnsupportedError naming operator and attribute if it
 * has something that networks here do not.
 */
export async function readOnnxFile(path: string): Promise<ImportedModel> {
  const model = parseModel(await readWhole(path), path);
  const constants = (model.graph?.node ?? []).flatMap((node) => node.attribute.flatMap(({ t }) => t ?? []));
  const external = await readExternal(path, [...(model.graph?.initializer ?? []), ...constants]);
  return readModel(model, path, external);
}

/** The same of a model in memory; one with data elsewhere is refused. Messages begin with `origin`. */
export function readOnnx(bytes: Uint8Array, origin: string): ImportedModel {
  return readModel(parseModel(bytes, origin), origin, new Map());
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    const file = await stat(path);
    const { size } = file;
    if (!file.isFile()) throw new CheckpointError(`${path}: expected a file`);
    if (size > MAX_BYTES) throw new CheckpointError(`${path}: an ONNX file has at most 2 GiB, this has ${size} bytes`);
    return await readFile(path);
  } catch (error) {
    if (codeOf(error) === "") throw error;
    throw new CheckpointError(`${path}: cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function parseModel(bytes: Uint8Array, origin: string): ModelMessage {
  return readMessage(modelTable, bytes, origin);
}

function readModel(model: ModelMessage, origin: string, external: ExternalBytes): ImportedModel {
  const { graph } = model;
  if (!graph) throw new CheckpointError(`${origin}: no ONNX model: it has no graph`);
  const opset = opsetOf(model, origin);
  const producer = [model.producerName, model.producerVersion].filter(Boolean).join(" ") || "an unknown program";
  const own = readOwnModel(model, graph, opset, external, origin);
  if (own) return { ...own, metadata: { ...own.metadata, producer } };
  const name = isTelling(graph.name) ? graph.name : basename(origin).replace(/\.onnx$/i, "") || "onnx";
  const read = readGraph(graph, opset, external, origin, { name, source: `ONNX model by ${producer}` });
  return { ...read, metadata: { ...read.metadata, producer } };
}

/** What PyTorch calls every graph: to 1.10, to 2.0, since. Source: pytorch/pytorch, pull requests 71961 and 107408. */
const anyGraph: ReadonlySet<string> = new Set(["torch-jit-export", "torch_jit", "main_graph"]);

function isTelling(name: string | undefined): name is string {
  return name !== undefined && name.trim() !== "" && !anyGraph.has(name);
}

function opsetOf({ opsetImport }: ModelMessage, origin: string): number {
  const versions = opsetImport.filter(({ domain = "" }) => isOnnxDomain(domain));
  const [first] = versions;
  if (!first || versions.length > 1) throw new CheckpointError(`${origin}: expected one version of ONNX's operators`);
  const { version = 0 } = first;
  if (version >= OLDEST_OPSET && version <= NEWEST_OPSET) return version;
  throw new UnsupportedError(`${origin}: opset ${version}, expected ${OLDEST_OPSET} to ${NEWEST_OPSET}`);
}

function isOnnxDomain(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}
