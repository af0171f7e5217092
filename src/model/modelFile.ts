/** Models in memory, read from and written to weights files. */
import { writeThrough } from "../checkpoint/durable.ts";
import { encodeModel } from "../checkpoint/metadata.ts";
import { writeSafetensors } from "../checkpoint/safetensorsWriter.ts";
import { storedTensors } from "./modelBytes.ts";
import { type ModelSource, openSource } from "./modelSource.ts";
import { checkWeights, type NetworkModel } from "./networkModel.ts";

/**
 * Reads the model of a run directory (its best weights) or of a weights file into memory.
 *
 * Throws CheckpointError if the file is missing or unreadable, or a weight is NaN or infinite.
 */
export async function readModel(path: string): Promise<NetworkModel> {
  return readModelOf(await openSource(path));
}

/** Reads the model of a source into memory. Throws as `readModel`. */
export async function readModelOf({ model, fill }: ModelSource): Promise<NetworkModel> {
  const stored = storedTensors(model.network);
  const names = new Map(stored.map(({ name, stored: own }) => [own, name]));
  const weights = new Map<string, Float32Array>();
  await fill({
    tensors: stored.map(({ stored: name, shape }) => ({ name, shape })),
    write: async (name, values) => void weights.set(names.get(name) as string, values.slice()),
  });
  return { ...model, weights };
}

/**
 * Writes a model to a weights file, which `openClassifier`, `exportModel` and every command read; `path` ends in `.safetensors`.
 *
 * Throws CheckpointError for weights that do not fit the network, or if the file cannot be written; an existing file then stays.
 */
export async function writeModel(path: string, model: NetworkModel): Promise<void> {
  const { network, weights } = model;
  checkWeights(path, network, weights);
  const stored = storedTensors(network);
  const names = new Map(stored.map(({ name, stored: own }) => [own, name]));
  const source = {
    tensors: stored.map(({ stored: name, shape }) => ({ name, shape })),
    read: async (name: string) => weights.get(names.get(name) as string) as Float32Array,
  };
  await writeThrough(path, (temporary) => writeSafetensors(temporary, encodeModel(model, 0), source));
}
