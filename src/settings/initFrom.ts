/** Initial weights of a run, and the settings that follow from their network and preprocessing. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel } from "../checkpoint/model.ts";
import { pretrainedOf } from "../checkpoint/pretrainedFiles.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { CheckpointError, ConfigError } from "../errors.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { type Network, place } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import type { Shape } from "../shape.ts";
import type { Recipe } from "../training/recipe.ts";
import type { FineTuning } from "./fineTuning.ts";
import type { RunSettings } from "./settings.ts";

/** A weights file for initialization. */
export interface InitFrom {
  /** Given path, absolute, or the name of published weights. */
  readonly from: string;
  /** Resolved weights file, absolute. */
  readonly file: string;
  readonly checksum: string;
  readonly model: Model;
  /** Shapes of the tensors by their names in a program, such as `conv1.weight`. */
  readonly shapes: ReadonlyMap<string, Shape>;
}

/**
 * Reads the header of a weights file, or of the best weights of a run directory.
 *
 * Throws CheckpointError if the file does not exist or is unreadable.
 */
export async function readInitFrom(path: string): Promise<InitFrom> {
  const file = resolve(await resolveModelFile(path));
  const model = await loadModel(file);
  const header = await withReader(file, async (reader) => reader.header);
  const shapes = [...tensorNames(model.network)].flatMap(([name, stored]) => {
    const tensor = header.tensors.get(stored);
    return tensor ? [[name, tensor.shape] as const] : [];
  });
  const checksum = header.checksum ?? (await digestOf(file));
  return { from: absoluteFrom(path), file, checksum, model, shapes: new Map(shapes) };
}

/** Reads the header of the weights that a run started from. Throws CheckpointError if the file has changed. */
export async function readSameWeights({ file, checksum }: FineTuning): Promise<InitFrom> {
  const found = await readInitFrom(file);
  if (found.checksum === checksum) return found;
  throw new CheckpointError(
    `${file}: expected the weights that the run started from (SHA-256 ${checksum}), got others (${found.checksum}); restore the file, or start a new run`,
  );
}

/** Value of --from in config.json: the absolute path, or the name of published weights, which is the same everywhere. */
export function absoluteFrom(path: string): string {
  return pretrainedOf(path) ?? resolve(path);
}

/** SHA-256 of a file written by another program. */
async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Fills in network, fit, filter and scale of the weights where the settings leave them open. */
export function withInitFrom(settings: RunSettings, { model }: InitFrom): RunSettings {
  const { network, preprocessing } = model;
  const { resize, size } = preprocessing;
  const fit = settings.fit ?? preprocessing.fit.kind;
  // The weights' network already has its input size; a setting cannot express one that is not square.
  const isSized = settings.network === undefined || settings.inputSize !== undefined || fit === "native";
  return {
    ...settings,
    network: settings.network ?? network,
    fit,
    filter: settings.filter ?? resize,
    normalization: settings.normalization ?? normalizationOf(preprocessing),
    ...(isSized || size[0] !== size[1] ? {} : { inputSize: size[0] }),
  };
}

/** Normalization with these parameters. */
function normalizationOf({ mean, deviation, meanImage }: Preprocessing): Recipe["normalization"] {
  if (meanImage !== undefined) return "mean-image";
  if (deviation.every((d) => d === 1 / 255)) return "mean";
  if ([...mean, ...deviation].every((value) => value === 0.5)) return "symmetric";
  return mean.every((m) => m === 0) && deviation.every((d) => d === 1) ? "unit" : "standard";
}

/** Layers with weights that these names stand for. Throws ConfigError for an unknown name. */
export function frozenLayers(network: Network, names: readonly string[]): string[] {
  const placed = place(network);
  const learning = placed.filter(({ parameters }) => parameters.length > 0).map(({ layer }) => layer.name);
  const firstFlat = placed.findIndex(({ outputShape }) => outputShape.length === 1);
  const convolutional = placed.slice(0, firstFlat).map(({ layer }) => layer.name);
  const wanted = names.flatMap((name) => {
    if (name === "none") return [];
    return name === "conv" && !learning.includes(name) ? convolutional : [name];
  });
  const unknown = wanted.find((name) => !placed.some(({ layer }) => layer.name === name));
  if (unknown !== undefined) {
    throw new ConfigError(
      `--freeze: no layer "${unknown}" in ${network.name}; expected conv, none, or some of ${learning.join(", ")}`,
    );
  }
  return learning.filter((name) => wanted.includes(name));
}
