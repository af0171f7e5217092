/** Several layers in a row. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { assertCloseNorm } from "../assertClose.ts";
import { type Chain, compileInference, fillParameters, need, noDraws } from "../chains.ts";
import type { EngineUnderTest } from "../engines.ts";
import { dataOf, describeEngines, expectedOf, resultsOf, withProgram } from "./compare.ts";
import { gradientTolerance, stacks, stackTolerance } from "./stacks.ts";

async function assertStack(engine: EngineUnderTest, chain: Chain): Promise<void> {
  const actual = await resultsOf(engine, chain);
  const expected = expectedOf(engine, chain);
  assert.deepEqual([...actual.keys()], [...expected.keys()]);
  for (const [key, value] of expected) {
    const tolerance = stackTolerance(engine, chain) + (key === "output" ? 0 : gradientTolerance(engine, chain, key));
    assertCloseNorm(need(actual, key), value, tolerance, key);
  }
}

describeEngines("stacks", (engine) => {
  for (const [name, chain] of Object.entries(stacks)) {
    const tolerance = stackTolerance(engine, chain);

    it(`${name}: outputs, all gradients, the input's too`, () => assertStack(engine, { ...chain, batchSize: 3 }));

    it(`${name}: without the input's gradient, the others are the same`, async () => {
      const withInput = await resultsOf(engine, { ...chain, batchSize: 3 });
      const without = await resultsOf(engine, { ...chain, batchSize: 3, inputGradient: false });
      assert.deepEqual(
        [...without.keys()],
        [...withInput.keys()].filter((key) => key !== "input"),
      );
      for (const [key, value] of without) assertCloseNorm(value, need(withInput, key), tolerance, key);
    });

    it(`${name}: at evaluation an inference program gives what a training program gives`, async () => {
      const whole = { ...chain, batchSize: 3 };
      await withProgram(engine, whole, async (program, made) => {
        const { images } = dataOf(whole, program.outputShape);
        const inference = await compileInference(made, engine.settings, whole);
        await fillParameters(inference);
        const expected = (await program.forward(images, 3, noDraws)).slice();
        assertCloseNorm(await inference.forward(images, 3, noDraws), expected, tolerance, "output");
        inference.close();
      });
    });
  }
});
