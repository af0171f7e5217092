/** What a file of weights does not say of its network, and where that is taken from. */
import { readFile } from "node:fs/promises";
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel } from "../checkpoint/model.ts";
import { ConfigError, messageOf } from "../errors.ts";
import type { ModelFile } from "../formats/format.ts";
import { matchNames } from "../formats/tensorNaming.ts";
import { createFit, type FitName } from "../image/prepare/fit.ts";
import { type Preprocessing, preprocessingSchema } from "../image/prepare/preprocess.ts";
import { unitStatistics } from "../image/prepare/statistics.ts";
import type { Filter } from "../image/resize/taps.ts";
import { classesOf, type Network, place, withClasses, withInput } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { resolveNetwork } from "../settings/settings.ts";

/** What a file of weights does not say. */
export interface DescribeOptions {
  /** A name, a JSON file, or a network; it gets as many classes as the file has. Default: what the file says, or `like`. */
  readonly network?: string | Network;
  /** Height and width of the network's input, in pixels. */
  readonly inputSize?: number;
  /** A run directory or weights file: its network, class names and preprocessing, where nothing else says otherwise. */
  readonly like?: string;
  /** A file with a class name a line, in the order of the outputs. */
  readonly classes?: string;
  readonly fit?: FitName;
  readonly filter?: Filter;
  /** One number a channel, on the scale of 0 (black) to 1 (white); on that of 0 to 255 too where the numbers say so, see `unitStatistics`. */
  readonly mean?: readonly number[];
  readonly deviation?: readonly number[];
}

/** What photos are scaled by for networks of torchvision's. Source: torchvision, transforms/_presets.py, ImageClassification. */
export const imagenetScale = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] } as const;

/** A model without its weights. */
export interface DescribedImport {
  readonly model: Model;
  /** What nobody said, and what was taken for it. */
  readonly assumptions: readonly string[];
  /** How what was said was read, where that is not as it stands. */
  readonly notes: readonly string[];
}

/**
 * Puts together what the file says and what is said of it.
 *
 * Throws ConfigError if nothing says which network it is, or what is said does not go together.
 */
export async function describeImport(file: ModelFile, options: DescribeOptions): Promise<DescribedImport> {
  const like = options.like === undefined ? undefined : await loadModel(await resolveModelFile(options.like));
  const assumptions: string[] = [];
  const network = await chooseNetwork(file, like, options);
  const count = classesOf(network);
  const known = options.classes === undefined ? undefined : await readClasses(options.classes);
  const names = known ?? like?.classNames ?? file.classNames;
  if (names && names.length !== count) {
    const from = options.classes ?? options.like ?? file.path;
    throw new ConfigError(`${from}: expected ${count} class names, as ${file.path} has outputs, got ${names.length}`);
  }
  if (!names) assumptions.push(`class names: class 0 to class ${count - 1}; give a file of names with --classes`);
  const classNames = names ?? Array.from({ length: count }, (_, i) => `class ${i}`);
  const { notes, ...statistics } = unitStatistics(options);
  const said = { ...options, ...statistics };
  const preprocessing = choosePreprocessing(network, like?.preprocessing ?? file.preprocessing, said, assumptions);
  const model: Model = { network, classNames, preprocessing, metrics: {}, precision: "f32", exact: true };
  return { model, assumptions, notes };
}

async function chooseNetwork(file: ModelFile, like: Model | undefined, options: DescribeOptions): Promise<Network> {
  const { network: given, inputSize } = options;
  const base = given === undefined ? (like?.network ?? file.network) : await resolveNetwork(given);
  if (!base) {
    throw new ConfigError(
      `${file.path}: does not say which network its weights are of; give one with --network or --like`,
    );
  }
  const [channels] = base.input;
  const sized = inputSize === undefined ? base : withInput(base, [channels, inputSize, inputSize]);
  const outputs = given === undefined ? undefined : outputsOf(file, sized);
  return outputs === undefined ? sized : withClasses(sized, outputs);
}

/** How many classes a file's weights are for: the outputs of the last layer that has some. */
function outputsOf({ weights }: ModelFile, network: Network): number | undefined {
  const last = place(network).findLast(({ parameters }) => parameters.length > 0);
  const name = tensorNames(network).get(`${last?.layer.name}.${last?.parameters[0]?.name}`) ?? "";
  const theirs = matchNames(network, weights.tensors).names.get(name);
  const outputs = weights.tensors.find((tensor) => tensor.name === theirs)?.shape[0];
  return outputs === 0 ? undefined : outputs;
}

function choosePreprocessing(
  network: Network,
  known: Preprocessing | undefined,
  options: DescribeOptions,
  assumptions: string[],
): Preprocessing {
  const [channels, height, width] = network.input;
  const size = { width, height };
  const { fit, filter, mean, deviation } = options;
  const usual = channels === 3 ? imagenetScale : { mean: [0], deviation: [1] };
  const base = known ?? { fit: createFit(channels === 3 ? "crop" : "resize", size), resize: "bilinear", ...usual };
  const chosen = {
    ...base,
    size: [height, width],
    channels,
    ...(fit ? { fit: createFit(fit, size) } : {}),
    ...(filter ? { resize: filter } : {}),
    ...(mean ? { mean } : {}),
    ...(deviation ? { deviation } : {}),
  };
  if (!known) {
    const all = [
      ["--fit", fit, `fit ${chosen.fit.kind}`],
      ["--filter", filter, chosen.resize],
      ["--mean", mean, `mean ${chosen.mean.join(",")}`],
      ["--deviation", deviation, `deviation ${chosen.deviation.join(",")}`],
    ] as const;
    const unsaid = all.filter(([, given]) => given === undefined);
    const flags = inWords(unsaid.map(([flag]) => flag));
    const taken = unsaid.map(([, , value]) => value).join(", ");
    if (taken) assumptions.push(`preprocessing: ${taken}; ${flags} ${unsaid.length > 1 ? "set" : "sets"} it`);
  }
  const parsed = preprocessingSchema.safeParse(chosen);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new ConfigError(`preprocessing: ${problems.join("; ")}`);
}

/** a, b and c. */
function inWords(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

async function readClasses(path: string): Promise<readonly string[]> {
  try {
    const lines = (await readFile(path, "utf8")).split(/\r?\n/);
    return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
  } catch (cause) {
    throw new ConfigError(`${path}: expected a file with a class name a line: ${messageOf(cause)}`, { cause });
  }
}
