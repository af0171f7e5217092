/** Max and adaptive average pooling. */
import { it } from "node:test";
import { adaptiveAveragePool2d, averagePool2d, maxPool2d } from "../../src/layers/kinds.ts";
import { assertClose } from "../assertClose.ts";
import { behindConvolution, noDraws } from "../chains.ts";
import { assertAsReference, describeEngines, eps, exactByOnes, keptWithin, withProgram } from "./compare.ts";

describeEngines(
  "pooling",
  (engine) => {
    for (const [name, input, outputSize] of [
      ["even windows", [17, 12, 18], 6],
      ["6×6 to 6×6, alexnet-owt at 224", [256, 6, 6], 6],
      ["uneven windows that overlap", [19, 7, 13], 6],
      ["fewer pixels than outputs", [5, 3, 4], 6],
      ["one output", [8, 5, 9], 1],
    ] as const) {
      it(`adaptive average, ${name}: within a rounding for each pixel of a window`, async () => {
        const chain = { input, layers: [adaptiveAveragePool2d("avg", { outputSize })], batchSize: 2 };
        const pixels = Math.ceil(input[1] / outputSize + 1) * Math.ceil(input[2] / outputSize + 1);
        const tolerance = keptWithin(engine, { relative: 4 * eps, absolute: pixels * eps });
        await assertAsReference(engine, chain, tolerance);
        await assertAsReference(engine, behindConvolution(chain), tolerance);
      });
    }

    it("adaptive average of constant maps is the constant", async () => {
      const chain = {
        input: [2, 7, 5],
        layers: [adaptiveAveragePool2d("avg", { outputSize: 3 })],
        batchSize: 1,
      } as const;
      const output = await withProgram(engine, chain, async (program) =>
        (await program.forwardTraining(new Float32Array(70).fill(6), 1, noDraws)).slice(),
      );
      assertClose(output, new Float32Array(18).fill(6), keptWithin(engine, { relative: 4 * eps }), "average");
    });

    for (const options of [
      { padding: 0 },
      { padding: 1 },
      { padding: 1, countIncludePad: true },
      { padding: 0, endPadding: 2 },
      { padding: 1, endPadding: 0, countIncludePad: true },
    ]) {
      it(`average ${JSON.stringify(options)}: within a rounding for each pixel of a window`, async () => {
        const layers = [averagePool2d("pool", { kernelSize: 3, stride: 2, ...options })];
        const chain = { input: [21, 9, 14], layers, batchSize: 2 } as const;
        // Nine pixels of up to 1 in a window; up to four windows for a pixel's gradient.
        const tolerance = keptWithin(engine, { relative: 4 * eps, absolute: 9 * eps }, 3);
        await assertAsReference(engine, chain, tolerance);
        await assertAsReference(engine, behindConvolution(chain), tolerance);
      });
    }

    it("max: exactly, on maps that are not square, with padding", async () => {
      for (const padding of [{}, { padding: 1 }, { endPadding: 2 }, { padding: 1, endPadding: 0 }]) {
        const chain = {
          input: [21, 9, 14],
          layers: [maxPool2d("pool", { kernelSize: 3, stride: 2, ...padding })],
          batchSize: 2,
        } as const;
        // Gradients of overlapping windows add up in any order: up to four terms of 1.
        await assertAsReference(engine, chain, keptWithin(engine, { absolute: 4 * eps }));
        // Sums may be kept after each term: up to 2 after the second, half a step off, and up to 3 after the third, a whole step.
        await assertAsReference(engine, behindConvolution(chain), keptWithin(engine, { absolute: 4 * eps }, 3));
      }
    });
  },
  exactByOnes,
);
