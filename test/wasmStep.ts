/** A training step in numbers, for a comparison of two runtimes. */
import type { AnyOp, Engine } from "../src/engine/engine.ts";

const ops: readonly AnyOp[] = [
  {
    kind: "conv2d",
    name: "conv1",
    options: { outChannels: 12, kernelSize: 3, stride: 1, padding: 1, groups: 1 },
    order: "other",
    inInt8: "computed",
    inputShape: [3, 16, 16],
    outputShape: [12, 16, 16],
    parameters: [
      { name: "conv1.weight", shape: [12, 3, 3, 3] },
      { name: "conv1.bias", shape: [12] },
    ],
  },
];

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
