/** Normalisation, against the reference and a known value. */
import { it } from "node:test";
import { localResponseNorm } from "../../src/layers/kinds.ts";
import { assertClose } from "../assertClose.ts";
import { behindConvolution, noDraws } from "../chains.ts";
import { assertAsReference, describeEngines, eps, exactByOnes, keptWithin, withProgram } from "./compare.ts";

describeEngines(
  "local response norm",
  (engine) => {
    it("of constant 100 is 43.869133 where all five neighbours are", async () => {
      // 100 / (2 + 1e-4 / 5 · 5 · 100²)^0.75 = 100 / 3^0.75; four and three neighbours at the ends.
      const chain = { input: [9, 2, 3], layers: [localResponseNorm("norm")], batchSize: 1 } as const;
      const output = await withProgram(engine, chain, async (program) =>
        (await program.forwardTraining(new Float32Array(54).fill(100), 1, noDraws)).slice(),
      );
      const neighbours = [3, 4, 5, 5, 5, 5, 5, 4, 3];
      const expected = neighbours.flatMap((n) => new Array<number>(6).fill(100 / (2 + 0.2 * n) ** 0.75));
      assertClose(output, expected, keptWithin(engine, { relative: 15 * eps }), "norm");
      assertClose([expected[24] as number], [43.869133], { absolute: 1e-6 }, "inside");
    });

    for (const [name, input, options] of [
      ["the paper's constants on conv1's maps", [96, 13, 11], {}],
      ["strong inhibition, channels not a multiple of 8", [13, 5, 7], { size: 3, alpha: 2, beta: 0.75, k: 1 }],
      ["fewer channels than the window", [3, 4, 4], { alpha: 1, beta: 0.5, k: 1 }],
      ["two groups of whole blocks", [32, 6, 5], { alpha: 1, beta: 0.75, k: 1, groups: 2 }],
      ["four groups of half blocks", [32, 5, 3], { size: 3, alpha: 2, beta: 0.5, k: 1, groups: 4 }],
      [
        "three groups of one vector, channels not a multiple of 8",
        [12, 5, 4],
        { alpha: 2, beta: 0.75, k: 1, groups: 3 },
      ],
      [
        "within channels, two groups that change nothing",
        [6, 5, 4],
        { size: 3, alpha: 2, beta: 0.75, k: 1, region: "withinChannel", groups: 2 },
      ],
      ["within channels, 3×3", [8, 9, 7], { size: 3, alpha: 2, beta: 0.75, k: 1, region: "withinChannel" }],
      ["within channels, 5×5", [5, 6, 11], { alpha: 1, beta: 0.5, k: 2, region: "withinChannel" }],
    ] as const) {
      const chain = { input, layers: [localResponseNorm("norm", options)], batchSize: 2 };
      // The gradient is a difference of two terms of the size of dy, so its bound is absolute where they cancel.
      const sums = { relative: 15 * eps, absolute: 15 * eps };

      // Groups are computed in a layout of convolutions, see below.
      const kept = keptWithin(engine, sums, "groups" in options ? 2 : 0);

      it(`${name}: within 15 eps`, async () => {
        await assertAsReference(engine, chain, kept, -3, 3);
        await assertAsReference(engine, chain, kept, 50, 200);
      });

      it(`${name}, behind a convolution: within 15 eps`, async () => {
        // A factor of each of the two terms may be kept from the way up.
        await assertAsReference(engine, behindConvolution(chain), keptWithin(engine, sums, 2), -3, 3);
        await assertAsReference(engine, behindConvolution(chain), keptWithin(engine, sums, 2), 50, 200);
      });
    }
  },
  exactByOnes,
);
