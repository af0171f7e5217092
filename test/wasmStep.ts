/** A training step in numbers, for a comparison of two runtimes. */
import type { Engine } from "../src/engine/engine.ts";
import { conv2d } from "../src/layers/kinds.ts";
import { operations } from "../src/network/network.ts";

const ops = operations({
  name: "step",
  source: "",
  deviations: [],
  input: [3, 16, 16],
  layers: [conv2d("conv1", { outChannels: 12, kernelSize: 3, padding: 1 })],
});

/** Sums of squares of the output and of each gradient after a step. Closes the engine. */
export async function trainedSum(engine: Engine): Promise<readonly number[]> {
  const batchSize = 4;
  const wave = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i + 1));
  const program = await engine.compileTraining({ ops, inputShape: [3, 16, 16], batchSize, precision: "f32" });
  for (const { value } of program.parameters) {
    await program.write(value, wave(value.shape.reduce((size, extent) => size * extent, 1)));
  }
  const output = await program.forwardTraining(wave(batchSize * 768), batchSize, { seed: 1, first: 0 });
  const sums = [output.reduce((sum, y) => sum + y * y, 0)];
  await program.backward(wave(output.length));
  for (const { gradient } of program.parameters) sums.push(await program.sumOfSquares([gradient]));
  engine.close();
  return sums;
}
