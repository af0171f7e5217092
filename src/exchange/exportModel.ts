/** Writes a trained network for other programs. */
import { lstat, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import { writeThrough } from "../checkpoint/durable.ts";
import { decodeModel, type Model } from "../checkpoint/metadata.ts";
import { decodeUndamaged } from "../checkpoint/model.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { type TensorSource, untilAborted } from "../checkpoint/safetensorsWriter.ts";
import { ConfigError } from "../errors.ts";
import type { ModelFormat } from "../formats/format.ts";
import { findFormat } from "../formats/formats.ts";
import { checkedWeights, renamed, tensorNamings } from "../formats/tensorNaming.ts";
import type { Preprocessing } from "../image/prepare/preprocess.ts";
import { storeOrNote } from "../model/int8Model.ts";
import type { HeadName } from "../network/head.ts";
import type { QuantizationReport, QuantizeOptions } from "./quantizeModel.ts";

/** How a trained network is written for other programs. */
export interface ExportOptions {
  /** Default: by the ending of the output's name. */
  readonly format?: string;
  /** How tensors are named, see `tensorNamings`. Default: as torchvision does; ONNX has names of layers only. */
  readonly names?: string;
  /** Switches of the format's own. */
  readonly flags?: ReadonlySet<string>;
  /** Weights and activations of 8 bits, calibrated and measured on these images; for formats that have them. */
  readonly int8?: QuantizeOptions;
  /** Aborted, it ends the export; nothing is left behind. */
  readonly signal?: AbortSignal;
}

/** What was written. */
export interface Exported {
  /** The weights file that it was made from. */
  readonly source: string;
  readonly output: string;
  readonly format: string;
  readonly network: string;
  readonly tensors: number;
  readonly bytes: number;
  /** What the reader of the file must know besides: the names of its outputs in order, and how images become its input. */
  readonly classNames: readonly string[];
  readonly preprocessing: Preprocessing;
  /** The step from the outputs to probabilities. */
  readonly head: HeadName;
  /** Of 8 bits: on what they were calibrated, what they cost, and how large the same file is in f32. */
  readonly int8?: QuantizationReport & { readonly f32Bytes: number };
}

/**
 * Writes the best weights of a run directory, or a weights file, in a format of other programs. The file is whole or not there.
 *
 * Throws CheckpointError if the weights are damaged or the file cannot be written, ConfigError for a format, a naming or a switch that does not
 * exist, a file that does already, or a folder that does not; the signal's reason if that is aborted.
 */
export async function exportModel(path: string, output: string, options: ExportOptions = {}): Promise<Exported> {
  const { flags = new Set(), signal } = options;
  const format = findFormat("write", output, options.format);
  const naming = findNaming(format, options.names);
  const known = new Set(format.flags?.map(({ name }) => name));
  const foreign = [...flags].find((flag) => !known.has(flag));
  if (foreign !== undefined)
    throw new ConfigError(`--${foreign}: format ${format.name} has no such switch; leave it out`);
  if (options.int8 && !format.f32Bytes) {
    throw new ConfigError(`--int8: format ${format.name} has no 8-bit form; write a file that ends in .onnx`);
  }
  await refuseOutput(output);
  const source = await resolveModelFile(path);
  return withReader(source, async (reader) => {
    await reader.verify();
    const model = await decodeUndamaged(reader, decodeModel);
    const { network, classNames, preprocessing } = model;
    const own = untilAborted(reader, signal);
    const weights = renamed(checkedWeights(source, own, network), network, naming);
    const quantized =
      options.int8 && (await quantize(path, source, model, weights, { ...options.int8, ...(signal && { signal }) }));
    const form = { flags, quantization: quantized?.quantization };
    await writeThrough(output, async (temporary) => {
      await format.write(temporary, model, weights, form);
      signal?.throwIfAborted();
    });
    if (quantized) {
      await storeOrNote(source, await reader.digest(), quantized.quantization, options.int8?.onMessage);
    }
    const { size: bytes } = await stat(output);
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

/** What calibrates and measures is loaded only here. */
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

/** What is there may be the user's only copy of something. A folder that is missing is said before anything is computed. */
async function refuseOutput(output: string): Promise<void> {
  const found = await lstat(output).catch(() => undefined);
  if (found)
    throw new ConfigError(`${output}: there is something of this name already; remove it, or choose another name`);
  const folder = dirname(output);
  const isFolder = await stat(folder).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new ConfigError(`${output}: there is no folder ${folder}; make it first, or choose another`);
}
