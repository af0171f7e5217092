/** Initial weights of a run: random, or from a file. */
import { withReader } from "../checkpoint/safetensorsReader.ts";
import { streamFinite, type TensorSink } from "../checkpoint/tensorStore.ts";
import { initialValues } from "../network/initialize.ts";
import { tensorNames } from "../network/tensorNames.ts";
import { readSameWeights } from "../settings/initFrom.ts";
import type { RunConfig } from "../settings/runConfig.ts";

/**
 * Writes the initial weights of a run.
 *
 * Throws CheckpointError if the file that it is initialized from has changed, or is unreadable.
 */
export async function writeInitialWeights(
  weights: TensorSink,
  { network, recipe, fineTuning, patches }: RunConfig,
): Promise<void> {
  const names = tensorNames(network);
  const allocate = (length: number) => weights.scratch?.(length) ?? new Float32Array(length);
  for (const { name, values } of initialValues(network, recipe.initializer, recipe.seed, { allocate, patches })) {
    await weights.write(names.get(name) as string, values);
  }
  if (!fineTuning) return;
  const { file, taken } = fineTuning;
  const { model } = await readSameWeights(fineTuning);
  // Tensor names of this network by those of the file.
  const wanted = new Map(
    [...tensorNames(model.network)]
      .filter(([name]) => taken.includes(name.slice(0, name.lastIndexOf("."))))
      .map(([name, stored]) => [stored, names.get(name) as string]),
  );
  await withReader(file, (reader) =>
    streamFinite(reader, async (stored, values) => {
      const name = wanted.get(stored);
      if (name !== undefined) await weights.write(name, values);
    }),
  );
}
