/** Export of a trained network to other formats. */
import { lstat, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import { createFolderThrough, writeThrough } from "../checkpoint/durable.ts";
import { decodeModel, type Model } from "../checkpoint/metadata.ts";
import { decodeUndamaged } from "../checkpoint/model.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { type TensorSource, untilAborted } from "../checkpoint/safetensorsWriter.ts";
import { ConfigError } from "../errors.ts";
import { foldedNetwork, foldedWeights } from "../formats/foldScales.ts";
import type { CardRows, ModelFormat } from "../formats/format.ts";
import { findFormat } from "../formats/formats.ts";
import { checkedWeights, renamed, tensorNamings } from "../formats/tensorNaming.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { storeOrNote } from "../model/int8Model.ts";
import type { HeadName } from "../network/head.ts";
import type { QuantizationReport, QuantizeOptions } from "./quantizeModel.ts";

/** Options of an export. */
export interface ExportOptions {
  /** Default: by the output's extension. */
  readonly format?: string;
  /** Naming of tensors, see `tensorNamings`. Default: torchvision's; ONNX uses layer names only. */
  readonly names?: string;
  /** Flags of the format. */
  readonly flags?: ReadonlySet<string>;
  /** Quantizes weights and activations to 8 bits, calibrated and measured on these images. Only for formats with an 8-bit form. */
  readonly int8?: QuantizeOptions;
  /** Aborts the export and leaves no file. */
  readonly signal?: AbortSignal;
}

/** Result of an export. */
export interface Exported {
  /** Path of the weights file that was exported. */
  readonly source: string;
  readonly output: string;
  readonly format: string;
  readonly network: string;
  readonly tensors: number;
  readonly bytes: number;
  /** Information a user of the file needs: class names in output order, and preprocessing. */
  readonly classNames: readonly string[];
  readonly preprocessing: Preprocessing;
  /** Function from outputs to probabilities. */
  readonly head: HeadName;
  /** 8-bit export: calibration, accuracy, and the file's size in f32. */
  readonly int8?: QuantizationReport & { readonly f32Bytes: number };
}

/**
 * Writes the best weights of a run directory, or a weights file, in another format. The file or folder is written atomically.
 *
 * Throws CheckpointError if the weights are unreadable or the file cannot be written. Throws ConfigError for an unknown format, naming or
 * flag, an output that already exists, or a folder that does not. Throws the signal's reason on abort.
 */
export async function exportModel(path: string, output: string, options: ExportOptions = {}): Promise<Exported> {
  const { flags = new Set(), signal } = options;
  const format = findFormat("write", output, options.format);
  const naming = findNaming(format, options.names);
  const known = new Set(format.flags?.map(({ name }) => name));
  const foreign = [...flags].find((flag) => !known.has(flag));
  if (foreign !== undefined) throw new ConfigError(`--${foreign}: format ${format.name} has no such flag; remove it`);
  if (options.int8 && !format.f32Bytes) {
    throw new ConfigError(`--int8: format ${format.name} has no 8-bit form; write a file that ends in .onnx`);
  }
  await refuseOutput(output);
  const source = await resolveModelFile(path);
  return withReader(source, async (reader) => {
    await reader.verify();
    const trained = await decodeUndamaged(reader, decodeModel);
    const own = untilAborted(reader, signal);
    const stored = renamed(checkedWeights(source, own, trained.network), trained.network, naming);
    // Weights in 8 bits are those of the network without layers that only scale and shift.
    const [model, weights] = options.int8
      ? [{ ...trained, network: foldedNetwork(trained.network) }, foldedWeights(trained.network, stored)]
      : [trained, stored];
    const { network, classNames, preprocessing } = model;
    const quantized =
      options.int8 && (await quantize(path, source, model, weights, { ...options.int8, ...(signal && { signal }) }));
    const training = format.isFolder && (await trainingRows(path));
    const form = { flags, quantization: quantized?.quantization, ...(training && { training }) };
    const writeDurably = format.isFolder ? createFolderThrough : writeThrough;
    await writeDurably(output, async (temporary) => {
      await format.write(temporary, model, weights, form);
      signal?.throwIfAborted();
    });
    if (quantized) {
      await storeOrNote(source, await reader.digest(), quantized.quantization, options.int8?.onMessage);
    }
    const bytes = await bytesAt(output);
    const written = {
      source,
      output,
      format: format.name,
      network: network.name,
      tensors: weights.tensors.length,
      bytes,
      classNames,
      preprocessing,
      head: model.head ?? "softmax",
    };
    if (!quantized || !format.f32Bytes) return written;
    return { ...written, int8: { ...quantized.report, f32Bytes: await format.f32Bytes(model, flags) } };
  });
}

/** Bytes of a file, or of all files of a folder. */
async function bytesAt(path: string): Promise<number> {
  const found = await stat(path);
  if (!found.isDirectory()) return found.size;
  const names = await readdir(path, { recursive: true });
  const entries = await Promise.all(names.map((name) => stat(join(path, name))));
  const sizes = entries.map((entry) => (entry.isFile() ? entry.size : 0));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Data and settings of a run, for a model card: without paths of this machine. Undefined for a weights file, or a directory without its config.json. */
async function trainingRows(path: string): Promise<CardRows | undefined> {
  const { readRunConfig, settingRows } = await import("../settings/runConfig.ts");
  const isRun = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const config = isRun ? await readRunConfig(path) : undefined;
  if (!config) return undefined;
  const { dataset, recipe, precision } = config;
  return [
    ["data set", basename(dataset.name)],
    ["training images", String(dataset.trainImages)],
    [`${dataset.watched} images`, String(dataset.testImages)],
    ["recipe", recipe.name],
    ...settingRows(config, "recipe"),
    ["precision", precision],
  ];
}

/** Loads calibration code on demand. */
async function quantize(path: string, source: string, model: Model, weights: TensorSource, options: QuantizeOptions) {
  const { quantizeModel } = await import("./quantizeModel.ts");
  return quantizeModel(path, source, model, weights, options);
}

function findNaming(format: ModelFormat, name: string = format.names ?? tensorNamings[0].name) {
  const able = tensorNamings.filter((naming) => format.names === undefined || naming.name === format.names);
  const found = able.find((naming) => naming.name === name);
  if (found) return found;
  const known = able.map((naming) => naming.name).join(", ");
  throw new ConfigError(`names "${name}": expected one of ${known} for format ${format.name}`);
}

/** Refuses to overwrite, since the file may be the user's only copy, and reports a missing folder before any computation. */
async function refuseOutput(output: string): Promise<void> {
  const found = await lstat(output).catch(() => undefined);
  if (found) throw new ConfigError(`${output}: already exists; remove it, or choose another name`);
  const folder = dirname(output);
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new ConfigError(`${output}: folder ${folder} does not exist; create it, or choose another`);
}
