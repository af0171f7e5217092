/** Sources of trained networks: runs and weights files of this program, or other files that a caller opens. */
import { resolveModelFile } from "../checkpoint/checkpointFiles.ts";
import type { Model } from "../checkpoint/metadata.ts";
import { loadModel, readWeights } from "../checkpoint/model.ts";
import { scratchFor, type TensorSource } from "../checkpoint/safetensorsWriter.ts";
import { checkTensors, type TensorSink } from "../checkpoint/tensorStore.ts";
import { sizeOf } from "../shape.ts";

/** A model whose weights are read once it is compiled. */
export interface ModelSource {
  /** Path of the file. */
  readonly file: string;
  readonly model: Model;
  /** True for another program's file, with no run's config.json beside it. */
  readonly isForeign: boolean;
  /**
   * Writes every weight; work on the file that needs no sink begins before a promised one is there. Throws CheckpointError if the tensors differ or a
   * value is not finite, and the error of the promise.
   */
  fill(sink: TensorSink | Promise<TensorSink>): Promise<void>;
}

/** Opens files that are not this program's; undefined for its own. */
export type SourceOpener = (path: string) => Promise<ModelSource | undefined>;

/** Opens a path: by `opener`, or as a run directory (its best weights) or a weights file. Throws CheckpointError if it is unreadable. */
export async function openSource(path: string, opener?: SourceOpener): Promise<ModelSource> {
  const other = await opener?.(path);
  if (other) return other;
  const file = await resolveModelFile(path);
  const model = await loadModel(file);
  return { file, model, isForeign: false, fill: (sink) => readWeights(file, sink) };
}

/** A source of another program's file, from tensors that can be read at any time, by their names in a checkpoint. */
export function sourceOf(file: string, model: Model, weights: TensorSource): ModelSource {
  return {
    file,
    model,
    isForeign: true,
    async fill(promised) {
      const sink = await promised;
      checkTensors(file, weights.tensors, sink.tensors);
      const scratch = scratchFor(sink);
      for (const { name, shape } of weights.tensors) {
        await sink.write(name, await weights.read(name, scratch.subarray(0, sizeOf(shape))));
      }
    },
  };
}
