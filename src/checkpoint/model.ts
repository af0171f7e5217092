import { decodeModel, type Model } from "./metadata.ts";
import { withReader } from "./safetensorsReader.ts";
import { fillStore, type TensorStore } from "./tensorStore.ts";

/**
 * Reads the model of a weights file. The weights are not read: `readWeights` does that, and finds any damage.
 *
 * Throws CheckpointError if the file is damaged or not a weights file of this program.
 */
export async function loadModel(file: string): Promise<Model> {
  return withReader(file, async (reader) => decodeModel(reader));
}

/**
 * Fills a store with the weights of a file.
 *
 * Throws CheckpointError if they do not fit, listing every tensor that is missing, extra, or has another shape; after
 * the last one is written, if the file was damaged.
 */
export async function readWeights(file: string, store: TensorStore): Promise<void> {
  await withReader(file, (reader) => fillStore(reader, store));
}
