/** The weights that a run begins with: which of a network's layers a weights file fits, and what the run takes over besides. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel } from "../checkpoint/model.ts";
import { pretrainedOf } from "../checkpoint/pretrainedFiles.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { ConfigError } from "../errors.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { type Network, type PlacedLayer, place } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import type { RecipeOverrides } from "../settings/settings.ts";
import { equalShapes, type Shape } from "../shape.ts";
import type { Recipe } from "../training/recipe.ts";

/** A weights file to begin with. */
export interface Origin {
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
 * Reads what a run directory (its best weights) or a weights file has to offer.
 *
 * Throws CheckpointError if there is none or it is damaged.
 */
export async function readOrigin(path: string): Promise<Origin> {
  const file = resolve(await resolveModelFile(path));
  const model = await loadModel(file);
  const header = await withReader(file, async (reader) => reader.header);
  const shapes = [...tensorNames(model.network)].flatMap(([name, stored]) => {
    const tensor = header.tensors.get(stored);
    return tensor ? [[name, tensor.shape] as const] : [];
  });
  const checksum = header.checksum ?? (await digestOf(file));
  return { from: originOf(path), file, checksum, model, shapes: new Map(shapes) };
}

/** What is kept of a path given with --from: itself, absolute, or the name of published weights, which stands for the same everywhere. */
export function originOf(path: string): string {
  return pretrainedOf(path) ?? resolve(path);
}

/** Of a file that another program has written. */
async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Settings that weights to begin with have defaults for. */
interface OriginSettings extends Pick<RecipeOverrides, "fit" | "filter" | "normalization"> {
  readonly network?: string | Network;
  readonly inputSize?: number;
}

/** The settings with network, fit, filter and scale as the weights were trained with, where nothing else is said. */
export function withOrigin<S extends OriginSettings>(settings: S, { model }: Origin): S {
  const { network, preprocessing } = model;
  const { resize, size } = preprocessing;
  const fit = settings.fit ?? preprocessing.fit.kind;
  return {
    ...settings,
    network: settings.network ?? network,
    fit,
    filter: settings.filter ?? resize,
    normalization: settings.normalization ?? normalizationOf(preprocessing),
    // The weights' own network has the size in it.
    ...(settings.network !== undefined && settings.inputSize === undefined && fit !== "native"
      ? { inputSize: size[0] }
      : {}),
  };
}

/** What a recipe calls a scale of these numbers. */
function normalizationOf({ mean, deviation, meanImage }: Preprocessing): Recipe["normalization"] {
  if (meanImage !== undefined) return "mean-image";
  if (deviation.every((d) => d === 1 / 255)) return "mean";
  if ([...mean, ...deviation].every((value) => value === 0.5)) return "symmetric";
  return mean.every((m) => m === 0) && deviation.every((d) => d === 1) ? "unit" : "standard";
}

/** Which layers of a network a file has weights for. */
export interface LayerMatch {
  readonly taken: readonly string[];
  readonly fresh: readonly { readonly layer: string; readonly reason: string }[];
}

/**
 * A layer is taken if the file has all its tensors, by name and shape. The last one only if the classes are the same, too: what it knows are those.
 *
 * Throws ConfigError, with the reasons, if no layer can be taken.
 */
export function matchLayers(network: Network, classNames: readonly string[], origin: Origin): LayerMatch {
  const learning = place(network).filter(({ parameters }) => parameters.length > 0);
  const taken: string[] = [];
  const fresh: { layer: string; reason: string }[] = [];
  for (const [i, placed] of learning.entries()) {
    const isHead = i === learning.length - 1;
    const { name } = placed.layer;
    const reason = whyNew(placed, origin) ?? (isHead ? otherAnswers(classNames, origin.model) : undefined);
    if (reason === undefined) taken.push(name);
    else fresh.push({ layer: name, reason });
  }
  if (taken.length > 0) return { taken, fresh };
  const reasons = fresh.map(({ layer, reason }) => `\n  ${layer}: ${reason}`).join("");
  throw new ConfigError(
    `${origin.file}: expected weights for some layers of ${network.name}, but none fits; choose the network that they are of (${origin.model.network.name}), or other weights:${reasons}`,
  );
}

function whyNew({ layer, parameters }: PlacedLayer, { shapes }: Origin): string | undefined {
  const reasons = parameters.flatMap(({ name, shape }) => {
    const stored = shapes.get(`${layer.name}.${name}`);
    if (!stored) return [`no ${name} in the file`];
    const list = (extents: Shape) => `[${extents.join(", ")}]`;
    return equalShapes(stored, shape) ? [] : [`${name} ${list(shape)} here, ${list(stored)} in the file`];
  });
  return reasons.length > 0 ? reasons.join("; ") : undefined;
}

/** Training is that of a softmax. */
function otherAnswers(here: readonly string[], { classNames, head = "softmax" }: Model): string | undefined {
  if (head !== "softmax") return `its head is ${head}, not softmax`;
  return here.every((name, i) => name === classNames[i]) ? undefined : "other classes";
}
