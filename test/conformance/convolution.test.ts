/** Convolutions of odd sizes: kernels, padding, groups, channels and batches that algorithms have to cut, pad or turn. */
import { it } from "node:test";
import { conv2d, relu } from "../../src/layers/kinds.ts";
import { assertCloseNorm } from "../assertClose.ts";
import { type Chain, need } from "../chains.ts";
import { describeEngines, expectedOf, resultsOf } from "./compare.ts";
import { gradientTolerance, stackTolerance } from "./stacks.ts";

interface Size {
  readonly input: Chain["input"];
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly padding: number;
  readonly groups: number;
  readonly batchSize: number;
}

const plain = { outChannels: 4, padding: 0, groups: 1, batchSize: 2 };
const sizes: readonly Size[] = [
  { ...plain, input: [3, 5, 5], kernelSize: 1 },
  { ...plain, input: [2, 4, 3], kernelSize: 1, padding: 2 },
  { ...plain, input: [1, 6, 7], kernelSize: 2, padding: 1, batchSize: 1 },
  { ...plain, input: [4, 5, 8], kernelSize: 2, groups: 2 },
  { ...plain, input: [8, 7, 6], kernelSize: 3, padding: 1, groups: 4, batchSize: 5 },
  { ...plain, input: [3, 3, 3], kernelSize: 3, padding: 3 },
  { ...plain, input: [1, 8, 9], outChannels: 5, kernelSize: 5, padding: 2 },
  { ...plain, input: [4, 1, 2], kernelSize: 5, padding: 2, groups: 2 },
  { ...plain, input: [2, 2, 2], kernelSize: 5, padding: 5 },
  { ...plain, input: [3, 9, 8], outChannels: 1, kernelSize: 7, batchSize: 4 },
  { ...plain, input: [5, 4, 6], outChannels: 7, kernelSize: 7, padding: 3, batchSize: 3 },
  { ...plain, input: [8, 12, 11], outChannels: 6, kernelSize: 11, groups: 2 },
  { ...plain, input: [16, 13, 13], outChannels: 32, kernelSize: 3, padding: 1 },
  { ...plain, input: [4, 6, 6], kernelSize: 3, padding: 1, batchSize: 131 },
];

describeEngines("convolutions of odd sizes", (engine) => {
  for (const { input, batchSize, ...options } of sizes) {
    const { kernelSize, padding, groups, outChannels } = options;
    const name = `${input.join("×")} → ${outChannels}, ${kernelSize}×${kernelSize}, padding ${padding}, ${groups} groups, batch ${batchSize}`;

    // Of so few outputs, one that a ReLU decides otherwise is a large part.
    for (const fused of engine.arithmetic.factorError > 0 ? [false] : [false, true]) {
      it(`${name}${fused ? ", with ReLU" : ""}`, async () => {
        const layers = [conv2d("layer", options), ...(fused ? [relu("relu")] : [])];
        const chain = { input, layers, batchSize };
        const actual = await resultsOf(engine, chain);
        for (const [key, value] of expectedOf(engine, chain)) {
          const tolerance =
            stackTolerance(engine, chain) + (key === "output" ? 0 : gradientTolerance(engine, chain, key));
          assertCloseNorm(need(actual, key), value, tolerance, key);
        }
      });
    }
  }
});
