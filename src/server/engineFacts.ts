/** Messages about a network in an engine process: how to open it, and its description. */

import type { Model } from "../checkpoint/metadata.ts";
import type { InferencePrecision } from "../engine/engine.ts";
import type { EngineName } from "../engine/select/engineNames.ts";
import type { InferencePrecisionName } from "../engine/select/precision.ts";
import type { ForeignFacts } from "../exchange/foreignModels.ts";
import type { CalibrationChoice } from "../model/openModel.ts";

/** A network to open in an engine process. Plain JSON. */
export interface EngineSource {
  /** Run directory, weights file, or file of another program. */
  readonly path: string;
  readonly engine?: EngineName;
  readonly threads?: number;
  readonly precision?: InferencePrecisionName;
  readonly calibration?: Omit<CalibrationChoice, "onProgress">;
  /** Facts that another program's file does not state. */
  readonly facts?: ForeignFacts;
  /** Maximum number of images in a batch. */
  readonly maxBatch: number;
  /** Milliseconds that an image waits for others of its batch. */
  readonly maxWait: number;
}

/** Description of an open network. Plain JSON. */
export interface EngineFacts {
  readonly model: Model;
  /** Engine and threads, in words. */
  readonly engine: string;
  readonly precision: InferencePrecision;
  readonly isMultiLabel: boolean;
  /** True if dropout stays active, so that images are computed one by one. */
  readonly isRandom: boolean;
}

/** Descriptor of the pipe in the engine process. */
export const PIPE = 3;
/** Environment variable of the engine process with its `EngineSource`. */
export const SOURCE_VARIABLE = "ALEXNET_SERVE_SOURCE";
