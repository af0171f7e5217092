/** Relu, tanh and sigmoid, alone and fused. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { relu, sigmoid, tanh } from "../../src/layers/kinds.ts";
import { assertClose } from "../assertClose.ts";
import { need, passThrough } from "../chains.ts";
import { assertAsReference, describeEngines, eps, keptWithin, withProgram } from "./compare.ts";

describeEngines("activations", (engine) => {
  it("relu: exactly, and the gradient at 0 is 0", async () => {
    const chain = { input: [3, 5, 7], layers: [relu("relu")], batchSize: 2 } as const;
    await assertAsReference(engine, chain, {});
    const zeros = await withProgram(engine, chain, (program) =>
      passThrough(program, new Float32Array(210), new Float32Array(210).fill(1)),
    );
    assert.ok(need(zeros, "input").every((x) => x === 0));
  });

  it("tanh and sigmoid: within 8 eps, where they are steep and where they are flat", async () => {
    // Absolute for what is near 0: tanh x and its argument's rounding are of the same size there.
    for (const layer of [tanh("f"), sigmoid("f")]) {
      const chain = { input: [16, 9, 11], layers: [layer], batchSize: 2 } as const;
      const tolerance = keptWithin(engine, { relative: 8 * eps, absolute: 2 * eps });
      await assertAsReference(engine, chain, tolerance, -1, 1);
      await assertAsReference(engine, chain, tolerance, -12, 12);
    }
  });

  it("tanh and sigmoid of numbers far out are their limits, with no NaN", async () => {
    const images = Float32Array.of(-200, -90, 90, 200);
    for (const [layer, low] of [
      [tanh("f"), -1],
      [sigmoid("f"), 0],
    ] as const) {
      const results = await withProgram(engine, { input: [4, 1, 1], layers: [layer], batchSize: 1 }, (program) =>
        passThrough(program, images, new Float32Array(4).fill(1)),
      );
      assertClose(need(results, "output"), [low, low, 1, 1], { absolute: 1e-30 }, layer.kind);
      assertClose(need(results, "input"), [0, 0, 0, 0], { absolute: 1e-30 }, `${layer.kind} gradient`);
    }
  });
});
