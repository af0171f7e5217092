/** Predictions for image files, and the options of classifying them. */
import type { OpenOptions } from "./openModel.ts";
import type { ClassScore, PredictOptions } from "./predictRows.ts";

/** Options of classifying files. */
export interface PredictFilesOptions extends OpenOptions, PredictOptions {
  /** Number of decoding threads. Default: one per core. */
  readonly decodingThreads?: number;
  /** Called after each batch of files. */
  readonly onProgress?: (files: number, of: number) => void;
  readonly signal?: AbortSignal;
}

/** Prediction for a file: every class, the most probable first; or the file's error, without its name. */
export type FilePrediction =
  | { readonly file: string; readonly classes: readonly ClassScore[] }
  | { readonly file: string; readonly error: string };
