/** Other programs' files as sources of trained networks, without an import into a run directory. */
import { stat } from "node:fs/promises";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { isOwnMetadata } from "../checkpoint/metadata.ts";
import { pretrainedOf } from "../checkpoint/pretrainedFiles.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import type { TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { ConfigError } from "../errors.ts";
import type { ModelFile, WeightsChoice } from "../formats/format.ts";
import { formatsThat } from "../formats/formats.ts";
import { checkedWeights } from "../formats/tensorNaming.ts";
import { type ModelSource, type SourceOpener, sourceOf } from "../model/modelSource.ts";
import { sizeOf } from "../shape.ts";
import { type DescribeOptions, describeImport } from "./importDescription.ts";
import { openModelFile } from "./modelFile.ts";

/** Facts that a file does not contain. */
export interface ForeignFacts extends DescribeOptions {
  readonly weights?: WeightsChoice;
}

/**
 * Opens .onnx, .pth, .caffemodel and .safetensors files of other programs, and folders of Hugging Face, once each, with all weights in memory.
 * Nothing is assumed: a fact that neither the file nor `facts` state is an error.
 *
 * The opener throws ConfigError naming the missing facts, or for facts of a run of this program, which states its own; and the errors of
 * `importModel`.
 */
export function foreignModels(facts: ForeignFacts, onMessage?: (message: string) => void): SourceOpener {
  const opened = new Map<string, Promise<ModelSource | undefined>>();
  return (path) => {
    const known = opened.get(path) ?? openForeign(path, facts, onMessage);
    opened.set(path, known);
    return known;
  };
}

async function openForeign(
  path: string,
  facts: ForeignFacts,
  onMessage?: (message: string) => void,
): Promise<ModelSource | undefined> {
  if (!(await isForeign(path))) {
    const given = Object.keys(facts).filter((fact) => facts[fact as keyof ForeignFacts] !== undefined);
    if (given.length === 0) return undefined;
    throw new ConfigError(
      `${path}: expected no ${given.map(flagOf).join(", ")}, since the file states its own; remove it`,
    );
  }
  const { file } = await openModelFile(path, undefined, facts);
  try {
    requireFacts(path, missingFacts(file, facts));
    const { model, isHeadAssumed, notes } = await describeImport(file, facts);
    requireFacts(path, isHeadAssumed ? ["--head"] : []);
    for (const note of notes) onMessage?.(note);
    const weights = await inMemory(checkedWeights(path, file.weights, model.network));
    return sourceOf(file.path, model, weights);
  } finally {
    await file.close();
  }
}

/** True for a file of another program: another extension, another file of safetensors, or a folder without a checkpoint of this program. */
async function isForeign(path: string): Promise<boolean> {
  if (pretrainedOf(path) !== undefined) return false;
  const found = await stat(path).catch(() => undefined);
  if (!found) return false;
  if (found.isDirectory()) {
    const { best, last, previous } = checkpointFiles(path);
    for (const file of [best, last, previous]) if (await fileExists(file)) return false;
    const { huggingFaceWeights } = await import("../formats/huggingFace.ts");
    return (await huggingFaceWeights(path)) !== undefined;
  }
  const lower = path.toLowerCase();
  if (lower.endsWith(".safetensors")) {
    return withReader(path, async ({ header }) => !isOwnMetadata(header.metadata));
  }
  return formatsThat("read").some(({ endings }) => endings.some((ending) => lower.endsWith(ending)));
}

/** Flags of the facts that neither the file nor the options state. */
function missingFacts(file: ModelFile, facts: ForeignFacts): readonly string[] {
  const { network, like, classes, head, fit, mean, deviation } = facts;
  const isLike = like !== undefined;
  const missing = {
    network: network === undefined && !isLike && !file.network,
    // A network that is given may end in its head.
    head: network === undefined && !isLike && head === undefined && file.head === undefined,
    classes: classes === undefined && !isLike && !file.classNames,
    fit: fit === undefined && !isLike && !file.preprocessing,
    mean: mean === undefined && !isLike && (!file.preprocessing || file.assumptions?.mean !== undefined),
    deviation: deviation === undefined && !isLike && !file.preprocessing,
    inputSize: facts.inputSize === undefined && file.assumptions?.inputSize !== undefined,
  };
  return Object.entries(missing).flatMap(([fact, isMissing]) => (isMissing ? [flagOf(fact)] : []));
}

function requireFacts(path: string, missing: readonly string[]): void {
  if (missing.length === 0) return;
  const like = missing.some((flag) => flag !== "--head" && flag !== "--input-size");
  throw new ConfigError(
    `${path}: the file does not state everything that predictions need; add ${missing.join(", ")}${like ? ", or --like RUN" : ""}`,
  );
}

function flagOf(fact: string): string {
  return `--${fact.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** All values of a source whose file is closed afterwards. */
async function inMemory({ tensors, read }: TensorSource): Promise<TensorSource> {
  const values = new Map<string, Float32Array>();
  for (const { name, shape } of tensors) values.set(name, await read(name, new Float32Array(sizeOf(shape))));
  return { tensors, read: async (name) => values.get(name) as Float32Array };
}
