/** Calibration of a trained network for 8 bits: the ranges of its activations on training images. */
import type { Model } from "../checkpoint/metadata.ts";
import { readingInto, type TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { requireLimit } from "../dataset/limit.ts";
import { createThreadedPreparation } from "../dataset/prepare/threadedPreparation.ts";
import type { Engine } from "../engine/engine.ts";
import { planQuantization, type Quantization } from "../formats/quantization.ts";
import type { Range } from "../int8.ts";
import { scoreSplit } from "../training/evaluation/scores.ts";
import { type EvaluationDataOptions, loadEvaluationData } from "./evaluationData.ts";
import { type Int8Network, openInt8Network } from "./int8Network.ts";

/** Images computed at a time. */
export const CALIBRATION_BATCH = 32;
const USUAL_IMAGES = 256;

/** Images of a calibration. */
export interface CalibrationOptions
  extends Pick<EvaluationDataOptions, "dataset" | "dataDir" | "maxBad" | "onPacking" | "onMessage" | "signal"> {
  /** Training images, some of each class. Default 256, or the number of classes if that is more. */
  readonly calibrationImages?: number;
  readonly onCalibrate?: (images: number, of: number) => void;
}

/** A trained network by its path, its weights file and what that says. `weights` are by their names in the network. */
export interface CalibratedModel {
  readonly path: string;
  readonly file: string;
  readonly model: Model;
  readonly weights: TensorSource;
}

/**
 * The rounding of a trained network, from the ranges of its activations on training images in f32.
 *
 * Throws as `loadEvaluationData` if there are no images, CheckpointError if weights or activations are not finite; the signal's reason if that is
 * aborted.
 */
export async function calibrate(
  calibrated: CalibratedModel,
  engine: Engine,
  options: CalibrationOptions,
): Promise<Quantization> {
  const { model, weights } = calibrated;
  const network = await openInt8Network(model.network, weights, engine, CALIBRATION_BATCH);
  try {
    return await calibrateNetwork(calibrated, network, engine.threads, options);
  } finally {
    network.close();
  }
}

/** As `calibrate`, on a network that has not been rounded yet. */
export async function calibrateNetwork(
  { path, file, model, weights }: CalibratedModel,
  network: Int8Network,
  threads: number,
  { calibrationImages, onCalibrate, ...options }: CalibrationOptions,
): Promise<Quantization> {
  requireLimit("calibration images", calibrationImages);
  const limit = calibrationImages ?? Math.max(USUAL_IMAGES, model.classNames.length);
  const data = await loadEvaluationData(path, file, model, { ...options, split: "train", limit, divided: true });
  const preparation = createThreadedPreparation({ preprocessing: model.preprocessing, threads });
  try {
    const { split } = data;
    let images = 0;
    for await (const { count } of scoreSplit(network, { split, preparation, seed: 0 })) {
      options.signal?.throwIfAborted();
      images += count;
      onCalibrate?.(images, split.length);
    }
    const ranges = network.takeRanges();
    reportDead(ranges, options);
    const calibration = { dataset: data.name, images: split.length };
    return await planQuantization(model.network, ranges, readingInto(weights), calibration);
  } finally {
    preparation.close();
    data.close();
  }
}

function reportDead(ranges: ReadonlyMap<string, Range>, { onMessage }: CalibrationOptions): void {
  for (const [name, { min, max }] of ranges) {
    if (min === 0 && max === 0)
      onMessage?.(`${name}: all 0 on the calibration images, and therefore always 0 in 8 bits`);
  }
}
