/** The weights that a run begins with, and what it takes from their network and preprocessing. */
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

/** A weights file to begin with. */
export interface InitFrom {
  /** What was given, absolute, or the name of published weights. */
  readonly from: string;
  /** The weights file that it stands for, absolute. */
  readonly file: string;
  readonly checksum: string;
  readonly model: Model;
  /** Shapes of its tensors by their names in a program, such as `conv1.weight`. */
  readonly shapes: ReadonlyMap<string, Shape>;
}

/**
 * Reads a weights file, or the best weights of a run directory, without the weights themselves.
 *
 * Throws CheckpointError if there is none or it is unreadable.
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

/** Reads the weights that a run was started with. Throws CheckpointError if the file has other weights by now. */
export async function readSameWeights({ file, checksum }: FineTuning): Promise<InitFrom> {
  const found = await readInitFrom(file);
  if (found.checksum === checksum) return found;
  throw new CheckpointError(
    `${file}: expected the weights that the run was started with (SHA-256 ${checksum}), got others (${found.checksum}); start another run`,
  );
}

/** What config.json has of a path given with --from: the absolute path, or the name of published weights, which is the same everywhere. */
export function absoluteFrom(path: string): string {
  return pretrainedOf(path) ?? resolve(path);
}

/** SHA-256 of a file that another program has written. */
async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** The settings with network, fit, filter and scale as the weights were trained with, where nothing else is given. */
export function withInitFrom(settings: RunSettings, { model }: InitFrom): RunSettings {
  const { network, preprocessing } = model;
  const { resize, size } = preprocessing;
  const fit = settings.fit ?? preprocessing.fit.kind;
  // The weights' own network has its input size already; a size that is not square is none that a setting can name.
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

/** The normalization that makes a scale of these numbers. */
function normalizationOf({ mean, deviation, meanImage }: Preprocessing): Recipe["normalization"] {
  if (meanImage !== undefined) return "mean-image";
  if (deviation.every((d) => d === 1 / 255)) return "mean";
  if ([...mean, ...deviation].every((value) => value === 0.5)) return "symmetric";
  return mean.every((m) => m === 0) && deviation.every((d) => d === 1) ? "unit" : "standard";
}

/** The layers with weights that names stand for. Throws ConfigError for a name that no layer has. */
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
      `--freeze: no layer "${unknown}" in ${network.name}; expected conv, none or some of ${learning.join(", ")}`,
    );
  }
  return learning.filter((name) => wanted.includes(name));
}
