/** Takes weights of other programs into a run directory. */
import { mkdir } from "node:fs/promises";
import { checkpointFiles, fileExists } from "../checkpoint/checkpointFiles.ts";
import { explainingWrites, writeThrough } from "../checkpoint/durable.ts";
import { encodeModel, type Model } from "../checkpoint/metadata.ts";
import { openRun } from "../checkpoint/runDirectory.ts";
import { type TensorSource, untilAborted, writeSafetensors } from "../checkpoint/safetensorsWriter.ts";
import { CheckpointError } from "../errors.ts";
import { findFormat } from "../formats/formats.ts";
import { checkedWeights } from "../formats/tensorNaming.ts";
import { removeEmptyFolders } from "../runs/runFolders.ts";
import { type DescribeOptions, describeImport } from "./importDescription.ts";

/** How a file is read, and what it does not say. */
export interface ImportOptions extends DescribeOptions {
  /** Default: by the ending of the file's name. */
  readonly format?: string;
  /** Aborting ends it, and leaves nothing. */
  readonly signal?: AbortSignal;
}

/** What was made of a file. */
export interface Imported {
  readonly file: string;
  readonly format: string;
  /** The weights file in the run directory. */
  readonly weights: string;
  readonly model: Model;
  /** What nobody said, and what was taken for it. */
  readonly assumptions: readonly string[];
  /** How what was said was read, where that is not as it stands. */
  readonly notes: readonly string[];
}

/**
 * Makes a run directory with a file's weights, for `predict`, `evaluate` and `export`. The file is only read.
 *
 * Throws CheckpointError listing every tensor that is missing, extra, or has another shape, or if there is a run in the directory; DataError if the file
 * cannot be read; ConfigError if nothing says which network it is, or what is said does not go together; the signal's reason if that is aborted. Then no directory is left behind.
 */
export async function importModel(path: string, directory: string, options: ImportOptions): Promise<Imported> {
  const format = findFormat("read", path, options.format);
  const file = await format.read(path);
  try {
    const { model, assumptions, notes } = await describeImport(file, options);
    const weights = checkedWeights(path, file.weights, model.network);
    const created = await explainingWrites(directory, () => mkdir(directory, { recursive: true }));
    const run = await openRun(directory);
    try {
      await refuseRun(directory);
      // Not as the best: training that goes on from here would replace that without a word.
      const { last } = checkpointFiles(directory);
      await writeModel(last, model, weights, { signal: options.signal });
      return { file: path, format: format.name, weights: last, model, assumptions, notes };
    } finally {
      await run.close();
      await removeEmptyFolders(directory, created);
    }
  } finally {
    await file.close();
  }
}

/**
 * Writes a weights file, whole or not at all; `notes` are entries of its metadata besides the model.
 *
 * Throws CheckpointError if it cannot be written, the signal's reason if that is aborted; what was there stays.
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
      throw new CheckpointError(`${file}: there is a run in this directory; choose another --run`);
  }
}
