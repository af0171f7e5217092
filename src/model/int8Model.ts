/** The quantization of a trained network: its stored calibration, or a new one. */
import type { Model } from "../checkpoint/metadata.ts";
import { withReader } from "../checkpoint/safetensorsReader.ts";
import type { Engine } from "../engine/engine.ts";
import { CheckpointError, ConfigError, DataError } from "../errors.ts";
import { foldedNetwork, foldedWeights } from "../formats/foldScales.ts";
import type { Quantization } from "../formats/quantization.ts";
import { checkedWeights, layerNaming, renamed } from "../formats/tensorNaming.ts";
import { isStochastic, place } from "../network/network.ts";
import { type CalibrationOptions, calibrate } from "./calibration.ts";
import { int8FileOf, readInt8File, writeInt8File } from "./int8File.ts";

/**
 * Returns the quantization of a weights file: the stored one, unless `options` name images; otherwise a calibration on the training images, which is
 * stored next to the weights. It is of the network that `foldedNetwork` returns.
 *
 * Throws ConfigError naming the remedy if the engine or the network has no int8, or there are no images; otherwise as `calibrate`.
 */
export async function quantizationOf(
  path: string,
  file: string,
  model: Model,
  engine: Engine,
  options: CalibrationOptions,
): Promise<Quantization> {
  const { onMessage } = options;
  requireInt8(model, engine, onMessage);
  return withReader(file, async (reader) => {
    const checksum = await reader.digest();
    const asksForNew = options.dataset !== undefined || options.calibrationImages !== undefined;
    const stored = asksForNew ? undefined : await storedOrNote(file, checksum, model, onMessage);
    if (stored) return stored;
    await reader.verify();
    const { network: trained } = model;
    const weights = foldedWeights(trained, renamed(checkedWeights(file, reader, trained), trained, layerNaming));
    const folded = { ...model, network: foldedNetwork(trained) };
    const quantization = await withRemedy(() => calibrate({ path, file, model: folded, weights }, engine, options));
    const { dataset, images } = quantization.calibration;
    onMessage?.(`int8: calibrated on ${images} images of ${dataset}`);
    await storeOrNote(file, checksum, quantization, onMessage);
    return quantization;
  });
}

function requireInt8({ network }: Model, engine: Engine, onMessage: CalibrationOptions["onMessage"]): void {
  const support = engine.inferencePrecisions.find(({ name }) => name === "int8");
  if (!support) {
    throw new ConfigError(`precision: the ${engine.name} engine has no int8; use the onednn engine, or f32`);
  }
  if (isStochastic(network)) {
    const layer = place(network).find(({ randomness }) => randomness === "always")?.layer.name;
    throw new ConfigError(`precision: int8 has no dropout that stays active at evaluation (${layer}); use f32 or bf16`);
  }
  if (!support.native) {
    onMessage?.(`precision: int8 is slower here than on processors with VNNI: ${engine.description} has none`);
  }
}

async function storedOrNote(
  file: string,
  checksum: string,
  { network }: Model,
  onMessage: CalibrationOptions["onMessage"],
): Promise<Quantization | undefined> {
  try {
    return await readInt8File(file, checksum, foldedNetwork(network));
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    onMessage?.(`${error.message}; calibrating again`);
    return undefined;
  }
}

/** Stores a calibration; a failure is reported, and the calibration is used all the same. */
export async function storeOrNote(
  file: string,
  checksum: string,
  quantization: Quantization,
  onMessage: CalibrationOptions["onMessage"],
): Promise<void> {
  try {
    await writeInt8File(file, checksum, quantization);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    onMessage?.(
      `${int8FileOf(file)}: the calibration could not be stored, so the next use repeats it: ${error.message}`,
    );
  }
}

/** Adds the remedy to errors of missing images. */
async function withRemedy<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (!(cause instanceof ConfigError || cause instanceof DataError)) throw cause;
    // The remedy of `loadEvaluationData` names a flag of other commands.
    const problem = cause.message.replace(/; give one with --dataset.*$/, "");
    throw new ConfigError(`int8 needs images to calibrate on: ${problem}; give images with --calibrate FOLDER`, {
      cause,
    });
  }
}
