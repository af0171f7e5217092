import assert from "node:assert/strict";
import { test } from "node:test";
import { compileTraining, noDraws } from "../../../../test/chains.ts";
import { conv2d, flatten, linear, localResponseNorm } from "../../../layers/kinds.ts";
import { createOneDnnEngine } from "../onednn.ts";

for (const groups of [1, 2]) {
  test(`no plain loops in training, after a convolution in channels-last, ${groups} group(s)`, async () => {
    const engine = createOneDnnEngine({ threads: 1, convolution: "dft" });
    const layers = [
      conv2d("conv", { outChannels: 64, kernelSize: 3, padding: 1 }),
      localResponseNorm("norm", { groups }),
      flatten("flatten"),
      linear("fc", { outFeatures: 2 }),
    ];
    const chain = { input: [3, 8, 8], layers, batchSize: 2 } as const;
    const program = await compileTraining(engine, { precision: "f32", exact: false }, chain);
    await program.forwardBackward(new Float32Array(2 * 192).fill(1), Float32Array.of(1, 0, 0, 1), 2, noDraws);
    const used = program.takeProfile().filter(({ work }) => work === "localResponseNorm");
    assert.deepEqual(
      used.map(({ direction }) => direction),
      ["forward", "backwardData"],
    );
    // With AVX2, oneDNN 3.x takes channels-last for convolutions, and offers no other layout.
    const hasBlocks = engine.version.startsWith("2.") || /AVX-512|AMX/.test(engine.description);
    if (hasBlocks) for (const { implementation } of used) assert.doesNotMatch(implementation, /ref/);
    program.close();
    engine.close();
  });
}
