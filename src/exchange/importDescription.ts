/** Description of imported weights (network, head, classes, preprocessing) from the file, the options and defaults. */
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel } from "../checkpoint/model.ts";
import { ConfigError } from "../errors.ts";
import type { ModelFile } from "../formats/format.ts";
import { matchNames } from "../formats/tensorNaming.ts";
import { createFit, type FitName } from "../image/prepare/fit.ts";
import { type Preprocessing, preprocessingSchema } from "../image/prepare/preprocess.ts";
import { unitStatistics } from "../image/prepare/statistics.ts";
import type { Filter } from "../image/resize/taps.ts";
import { classCount, type HeadName, requireClasses, withoutHeadLayer } from "../network/head.ts";
import { classesOf, type Network, place, withClasses, withInput } from "../network/network.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { loadNetwork } from "../settings/load.ts";
import { distinctNames, readClassList } from "./classList.ts";

/** Facts that a weights file does not contain. */
export interface DescribeOptions {
  /** A name, a JSON file or a network; its number of classes is adapted to the file. Default: the network of the file or of `like`. */
  readonly network?: string | Network;
  /** Height and width of the network's input, in pixels. */
  readonly inputSize?: number;
  /** Function from outputs to probabilities. Default: the head of the file or of `like`, else softmax for two or more outputs. */
  readonly head?: HeadName;
  /** A run directory or weights file: default for network, class names and preprocessing. */
  readonly like?: string;
  /**
   * A text file with one class name per line, in the order of the outputs (see `readClassList`). For one output with the head `sigmoid`:
   * both classes, or only the class whose probability the output is.
   */
  readonly classes?: string;
  readonly fit?: FitName;
  readonly filter?: Filter;
  /**
   * One number per channel on the scale 0 (black) to 1 (white). Numbers that only fit the scale 0 to 255 are converted, see
   * `unitStatistics`.
   */
  readonly mean?: readonly number[];
  readonly deviation?: readonly number[];
}

/** Pixel statistics of torchvision's networks. Source: torchvision, transforms/_presets.py, ImageClassification. */
export const imagenetScale = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] } as const;

/** A model without its weights. */
export interface DescribedImport {
  readonly model: Model;
  /** Assumptions in place of missing facts, one line each. */
  readonly assumptions: readonly string[];
  /** True if one of them is the head. */
  readonly isHeadAssumed: boolean;
  /** Notes on values that were converted or renamed. */
  readonly notes: readonly string[];
}

/**
 * Combines the file's description with the options.
 *
 * Throws ConfigError if the network is unknown, or if file and options contradict each other.
 */
export async function describeImport(file: ModelFile, options: DescribeOptions): Promise<DescribedImport> {
  const like = options.like === undefined ? undefined : await loadModel(await resolveModelFile(options.like));
  const assumptions = fileAssumptions(file, options);
  const chosen = await chooseNetwork(file, like, options);
  const { network, head, isAssumed } = chooseHead(file, like, chosen, options);
  const outputs = classesOf(network);
  if (isAssumed) assumptions.push(`head: softmax (one class per image, from ${outputs} logits); --head changes it`);
  const count = classCount(head, outputs);
  const listed = options.classes === undefined ? undefined : await readClassList(options.classes);
  const names = bothClasses(listed?.names ?? like?.classNames ?? file.classNames, count);
  if (names && names.length !== count) {
    const from = options.classes ?? options.like ?? file.path;
    throw new ConfigError(
      `${from}: expected ${count} class names (${file.path}: ${outputs} outputs, head ${head}), got ${names.length}`,
    );
  }
  if (!names) assumptions.push(`class names: class 0 to class ${count - 1}; --classes reads names from a file`);
  const { names: classNames, notes: repeats } = distinctNames(
    names ?? Array.from({ length: count }, (_, i) => `class ${i}`),
  );
  const { notes, ...statistics } = unitStatistics(options);
  const said = { ...options, ...statistics };
  const preprocessing = choosePreprocessing(
    file.path,
    network,
    like?.preprocessing ?? file.preprocessing,
    said,
    assumptions,
  );
  const described = { network, classNames, preprocessing, metrics: {}, precision: "f32", exact: true } as const;
  // Those of the file belong to its own classes.
  const thresholds = file.thresholds?.length === count && listed === undefined && !like ? file.thresholds : undefined;
  const { temperature } = file;
  return {
    model: {
      ...described,
      ...(head === "softmax" ? {} : { head }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(thresholds ? { thresholds } : {}),
    },
    assumptions,
    isHeadAssumed: isAssumed,
    notes: [...(file.notes ?? []), ...(listed?.notes ?? []), ...repeats, ...notes],
  };
}

/** The file's assumptions that no option replaces. */
function fileAssumptions({ assumptions = {} }: ModelFile, options: DescribeOptions): string[] {
  const flags = { inputSize: "--input-size", mean: "--mean" } as const;
  return (["inputSize", "mean"] as const).flatMap((fact) => {
    const text = options[fact] === undefined ? assumptions[fact] : undefined;
    return text === undefined ? [] : [`${text}; ${flags[fact]} sets it`];
  });
}

/** For one output, derives the negative class from the name of the positive one. */
function bothClasses(names: readonly string[] | undefined, count: number): readonly string[] | undefined {
  const [only] = names ?? [];
  return names?.length === 1 && count === 2 ? [`not ${only}`, only as string] : names;
}

/**
 * Determines the head, and removes a head layer from the network. By default assumes softmax for two or more outputs.
 *
 * Throws ConfigError if a single output has no known head, or if `--head` contradicts the file.
 */
function chooseHead(
  file: ModelFile,
  like: Model | undefined,
  chosen: Network,
  { head: given, network: described }: DescribeOptions,
): { readonly network: Network; readonly head: HeadName; readonly isAssumed: boolean } {
  // A network from this program's own files keeps its last layer, because it was trained with it.
  const parted = described === undefined ? undefined : withoutHeadLayer(chosen);
  const network = parted?.network ?? chosen;
  const stated = parted?.head ?? file.head;
  if (given !== undefined && stated !== undefined && given !== stated) {
    const from = parted ? chosen.name : file.path;
    throw new ConfigError(`--head: expected ${stated}, the head of ${from}, got ${given}; remove the flag`);
  }
  const known = given ?? stated ?? (like && (like.head ?? "softmax"));
  const outputs = classesOf(network);
  if (known !== undefined) {
    requireClasses(known, outputs, file.path);
    return { network, head: known, isAssumed: false };
  }
  if (outputs === 1) {
    throw new ConfigError(
      `${file.path}: the meaning of its single output is unknown; give --head sigmoid for the logit of two classes, --head none for any other number`,
    );
  }
  return { network, head: "softmax", isAssumed: true };
}

async function chooseNetwork(file: ModelFile, like: Model | undefined, options: DescribeOptions): Promise<Network> {
  const { network: given, inputSize } = options;
  const base = given === undefined ? (like?.network ?? file.network) : await loadNetwork(given);
  if (!base) {
    throw new ConfigError(`${file.path}: unknown network; give one with --network or --like`);
  }
  const [channels] = base.input;
  const sized = inputSize === undefined ? base : withInput(base, [channels, inputSize, inputSize]);
  const outputs = given === undefined ? undefined : outputsOf(file, sized);
  return outputs === undefined ? sized : withClasses(sized, outputs);
}

/** Number of classes of a weights file, from the outputs of the last layer with parameters. */
function outputsOf({ weights }: ModelFile, network: Network): number | undefined {
  const last = place(network).findLast(({ parameters }) => parameters.length > 0);
  const name = tensorNames(network).get(`${last?.layer.name}.${last?.parameters[0]?.name}`) ?? "";
  const theirs = matchNames(network, weights.tensors).names.get(name);
  const outputs = weights.tensors.find((tensor) => tensor.name === theirs)?.shape[0];
  return outputs === 0 ? undefined : outputs;
}

function choosePreprocessing(
  path: string,
  network: Network,
  known: Preprocessing | undefined,
  options: DescribeOptions,
  assumptions: string[],
): Preprocessing {
  const [channels, height, width] = network.input;
  if (channels !== 1 && channels !== 3) {
    throw new ConfigError(
      `${path}: input of ${network.name}: expected images of 1 or 3 channels, [channels, height, width], got [${network.input.join(", ")}]`,
    );
  }
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

/** Joins a list: `a, b and c`. */
function inWords(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
