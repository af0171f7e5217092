/** Reads the model and the weights of a weights file. */
import { decodeModel, type Model } from "./metadata.ts";
import { type SafetensorsReader, withReader } from "./safetensorsReader.ts";
import { fillStore, type TensorSink } from "./tensorStore.ts";

/**
 * Reads the model of a weights file. The weights are not read: `readWeights` does that, and finds any damage.
 *
 * Throws CheckpointError if the file is damaged or not a weights file of this program.
 */
export async function loadModel(file: string): Promise<Model> {
  return withReader(file, (reader) => decodeUndamaged(reader, decodeModel));
}

/** Decodes metadata. What cannot be decoded may be the fault of a damaged file: then that is the error. */
export async function decodeUndamaged<T>(
  reader: SafetensorsReader,
  decode: (reader: SafetensorsReader) => T,
): Promise<T> {
  try {
    return decode(reader);
  } catch (error) {
    await reader.verify();
    throw error;
  }
}

/**
 * Fills a store with the weights of a file.
 *
 * Throws CheckpointError if they do not fit, listing every tensor that is missing, extra, or has another shape; after
 * the last one is written, if the file was damaged.
 */
export async function readWeights(file: string, store: TensorSink): Promise<void> {
  await withReader(file, (reader) => fillStore(reader, store));
}
