/**
 * Folders of Hugging Face, read: a file of weights, class names in config.json, and preprocessing in preprocessor_config.json or, by timm, in
 * config.json.
 *
 * Source: transformers, configuration_utils.py and image_processing_utils.py; timm, models/_hub.py, `save_config_for_hf`.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { CheckpointError, codeOf, DataError, messageOf } from "../errors.ts";
import { createFit, type Fit } from "../image/prepare/fit.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import type { Filter } from "../image/resize/taps.ts";
import { parseJsonText, problemsOf } from "../schema.ts";
import type { ModelFile, ReadFacts } from "./format.ts";
import { findFormat } from "./formats.ts";

/** Files of weights, the preferred one first. */
const weightFiles = ["model.safetensors", "pytorch_model.bin", "model.onnx", "onnx/model.onnx"];

const side = z.union([
  z.int().positive(),
  z.looseObject({ height: z.int().optional(), shortest_edge: z.int().optional() }),
]);
const numbers = z.array(z.number());

const configSchema = z.looseObject({
  id2label: z.record(z.string(), z.string()).optional(),
  problem_type: z.string().nullish(),
  /** timm's names of classes. */
  label_names: z.array(z.string()).optional(),
  pretrained_cfg: z
    .looseObject({
      input_size: numbers.optional(),
      mean: numbers,
      std: numbers,
      interpolation: z.string().optional(),
      crop_pct: z.number().positive().optional(),
    })
    .optional(),
});

const processorSchema = z.looseObject({
  size: side.optional(),
  crop_size: side.optional(),
  do_center_crop: z.boolean().optional(),
  do_rescale: z.boolean().optional(),
  rescale_factor: z.number().optional(),
  do_normalize: z.boolean().optional(),
  image_mean: numbers.optional(),
  image_std: numbers.optional(),
  resample: z.number().optional(),
  do_resize: z.boolean().optional(),
  do_pad: z.boolean().optional(),
  do_flip_channel_order: z.boolean().optional(),
  /** ConvNeXT's: the fraction of the scaled image that is the input. */
  crop_pct: z.number().positive().max(1).optional(),
});

/** The file of weights in a folder of Hugging Face; undefined for any other folder. */
export async function huggingFaceWeights(folder: string): Promise<string | undefined> {
  if (!(await isFile(join(folder, "config.json")))) return undefined;
  for (const name of weightFiles) if (await isFile(join(folder, name))) return join(folder, name);
  return undefined;
}

/**
 * Opens the weights with the folder's description. Throws DataError for a description that is not of this form, and the errors of the file's
 * format.
 */
export async function openHuggingFace(folder: string, weights: string, facts: ReadFacts): Promise<ModelFile> {
  const config = await readJson(join(folder, "config.json"), configSchema);
  const processor = await readJson(join(folder, "preprocessor_config.json"), processorSchema);
  const preprocessing = (processor && fromProcessor(processor)) ?? (config && fromTimm(config));
  const file = await findFormat("read", weights).read(weights, facts);
  const classNames = file.classNames ?? config?.label_names ?? (config?.id2label && labelsOf(config.id2label));
  return {
    ...file,
    path: weights,
    ...(classNames && { classNames }),
    ...(file.head === undefined &&
      config?.problem_type === "multi_label_classification" && { head: "sigmoid" as const }),
    ...(file.preprocessing === undefined && preprocessing && { preprocessing }),
  };
}

/** Names by index; undefined for the placeholders that transformers writes without names. */
function labelsOf(labels: Readonly<Record<string, string>>): readonly string[] | undefined {
  const names = Object.keys(labels).map((_, i) => labels[i]);
  const all = names.filter((name) => name !== undefined);
  const isNamed = all.some((name, i) => name !== `LABEL_${i}`);
  return all.length === names.length && all.length > 0 && isNamed ? all : undefined;
}

/** Size from which an image processor with `crop_pct` scales the whole image. Source: transformers, ConvNextImageProcessor. */
const WHOLE_FROM = 384;

function fromProcessor(processor: z.infer<typeof processorSchema>): Preprocessing | undefined {
  const { size, crop_size: crop, image_mean: mean, image_std: std, resample = 2 } = processor;
  const { rescale_factor: factor = 1 / 255, crop_pct: part } = processor;
  // Steps that this program does not have: the facts must be given.
  if (processor.do_resize === false || processor.do_pad || processor.do_flip_channel_order) return undefined;
  const isScaled = processor.do_rescale !== false && Math.abs(factor * 255 - 1) < 1e-3;
  const resize = resample === 2 ? "bilinear" : resample === 3 ? "bicubic" : undefined;
  if (!isScaled || !resize) return undefined;
  const scaled = sideOf(size);
  const cropped = processor.do_center_crop ? sideOf(crop) : undefined;
  const input = cropped ?? scaled;
  const isNormalized = processor.do_normalize !== false;
  if (input === undefined || scaled === undefined || (isNormalized && !(mean && std))) return undefined;
  const channels = mean?.length ?? 3;
  const fit: Fit =
    cropped !== undefined
      ? { kind: "crop", shorterSide: scaled }
      : part !== undefined && scaled < WHOLE_FROM
        ? { kind: "crop", shorterSide: Math.floor(scaled / part) }
        : createFit("resize", { width: input, height: input });
  const statistics = isNormalized ? { mean: mean ?? [], deviation: std ?? [] } : identity(channels);
  return preprocessingOf(input, channels, fit, resize, statistics.mean, statistics.deviation);
}

function fromTimm({ pretrained_cfg: cfg }: z.infer<typeof configSchema>): Preprocessing | undefined {
  const [channels, height] = cfg?.input_size ?? [];
  const { interpolation = "bilinear", crop_pct: part = 1 } = cfg ?? {};
  const isFilter = interpolation === "bilinear" || interpolation === "bicubic";
  if (!cfg || channels === undefined || height === undefined || !isFilter) return undefined;
  const fit: Fit = { kind: "crop", shorterSide: Math.floor(height / part) };
  return preprocessingOf(height, channels, fit, interpolation, cfg.mean, cfg.std);
}

function identity(channels: number) {
  const each = (value: number) => Array.from({ length: channels }, () => value);
  return { mean: each(0), deviation: each(1) };
}

function preprocessingOf(
  input: number,
  channels: number,
  fit: Fit,
  resize: Filter,
  mean: readonly number[],
  deviation: readonly number[],
): Preprocessing | undefined {
  if (channels !== 1 && channels !== 3) return undefined;
  return { size: [input, input], channels, fit, resize, mean, deviation };
}

function sideOf(size: z.infer<typeof side> | undefined): number | undefined {
  return typeof size === "object" ? (size.shortest_edge ?? size.height) : size;
}

/** Parsed JSON of a file; undefined if there is no such file. Throws CheckpointError for one that cannot be read, DataError for other contents. */
async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new CheckpointError(`${path}: cannot be read: ${messageOf(cause)}`, { cause });
  }
  try {
    return schema.parse(parseJsonText(text));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? problemsOf(cause) : messageOf(cause);
    throw new DataError(`${path}: expected the description of a Hugging Face model: ${why}`, { cause });
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
}
