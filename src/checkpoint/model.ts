/** Reads the model and the weights of a weights file. */
import { decodeModel, type Model } from "./metadata.ts";
import { type SafetensorsReader, withReader } from "./safetensorsReader.ts";
import { fillStore, type TensorSink } from "./tensorStore.ts";

/**
 * Reads the model of a weights file, without its weights: `readWeights` reads them and verifies the checksum.
 *
 * Throws CheckpointError if the file is corrupt or not a weights file of this program.
 */
export async function loadModel(file: string): Promise<Model> {
  return withReader(file, (reader) => decodeUndamaged(reader, decodeModel));
}

/** Decodes metadata. If that fails and the file is corrupt, throws the error about the file instead. */
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
 * Loads the weights of a file into a store. If that is a promise, the file's checksum is computed meanwhile.
 *
 * Throws CheckpointError if they do not match, listing every tensor that is missing, unexpected or of another shape; or after the last tensor, if the
 * file is corrupt.
 */
export async function readWeights(file: string, store: TensorSink | Promise<TensorSink>): Promise<void> {
  await withReader(file, async (reader) => {
    reader.verifyAhead();
    await fillStore(reader, await store);
  });
}
