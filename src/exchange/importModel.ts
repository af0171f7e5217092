/** Import of other programs' weights into a run directory. */
import { mkdir } from "node:fs/promises";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { explainingWrites, writeThrough } from "../checkpoint/durable.ts";
import { encodeModel, type Model } from "../checkpoint/metadata.ts";
import { openRun } from "../checkpoint/runDirectory.ts";
import { type TensorSource, untilAborted, writeSafetensors } from "../checkpoint/safetensorsWriter.ts";
import { CheckpointError } from "../errors.ts";
import type { WeightsChoice } from "../formats/format.ts";
import { checkedWeights } from "../formats/tensorNaming.ts";
import { removeEmptyFolders } from "../runs/runFolders.ts";
import { type DescribeOptions, describeImport } from "./importDescription.ts";
import { openModelFile } from "./modelFile.ts";

/** Options of an import: how to read the file, and facts it does not contain. */
export interface ImportOptions extends DescribeOptions {
  /** Default: by the file's extension. */
  readonly format?: string;
  /** For a PyTorch checkpoint with both: the weights of training, or their moving average. Default: the one under the usual name. */
  readonly weights?: WeightsChoice;
  /** Aborts the import and removes what it wrote. */
  readonly signal?: AbortSignal;
}

/** Result of an import. */
export interface Imported {
  readonly file: string;
  readonly format: string;
  /** Path of the weights file in the run directory. */
  readonly weights: string;
  readonly model: Model;
  /** Assumptions in place of missing facts. */
  readonly assumptions: readonly string[];
  /** Notes on values that were converted or renamed. */
  readonly notes: readonly string[];
}

/**
 * Creates a run directory with a file's weights, for `predict`, `evaluate` and `export`. The file itself is never changed.
 *
 * Throws CheckpointError with a list of all tensors that are missing, extra or of another shape, or if the directory already contains a
 * run. Throws DataError if the file cannot be read, ConfigError if the network is unknown or file and options contradict each other, and
 * the signal's reason on abort. On error no directory is left.
 */
export async function importModel(path: string, directory: string, options: ImportOptions): Promise<Imported> {
  const { file, format } = await openModelFile(path, options.format, options);
  try {
    const { model, assumptions, notes } = await describeImport(file, options);
    const weights = checkedWeights(path, file.weights, model.network);
    const created = await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
    const run = await openRun(directory);
    try {
      await refuseRun(directory);
      // Saved as last, not best: resumed training would overwrite the best weights silently.
      const { last } = checkpointFiles(directory);
      await writeModel(last, model, weights, { signal: options.signal });
      return { file: path, format, weights: last, model, assumptions, notes };
    } finally {
      await run.close();
      await removeEmptyFolders(directory, created);
    }
  } finally {
    await file.close();
  }
}

/**
 * Writes a weights file atomically; `notes` are metadata entries besides the model.
 *
 * Throws CheckpointError if the file cannot be written, and the signal's reason on abort; an existing file then stays unchanged.
 */
export async function writeModel(
  path: string,
  model: Model,
  weights: TensorSource,
  {
    notes = {},
    signal,
  }: { readonly notes?: Readonly<Record<string, string>>; readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await writeThrough(path, async (temporary) => {
    await writeSafetensors(temporary, { ...notes, ...encodeModel(model, 0) }, untilAborted(weights, signal));
    signal?.throwIfAborted();
  });
}

async function refuseRun(directory: string): Promise<void> {
  for (const file of Object.values(checkpointFiles(directory))) {
    if (await fileExists(file))
      throw new CheckpointError(`${file}: already exists, so the directory contains a run; choose another with --run`);
  }
}
