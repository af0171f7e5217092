/** Operations that training leaves as they are. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { type Chain, need, parameterValues, passThrough } from "../chains.ts";
import { dataOf, describeEngines, resultsOf, withProgram } from "./compare.ts";
import { stacks } from "./stacks.ts";

const { input, layers } = need(
  new Map(Object.entries(stacks)),
  "alexnet, narrow: channels in whole blocks, groups, 3×3 convolutions",
);
const chain: Chain = { input, layers, batchSize: 2, inputGradient: false };
const learning = layers.filter(({ kind }) => kind === "conv2d" || kind === "linear").map(({ name }) => name);
const some: readonly (readonly string[])[] = [
  learning.slice(0, 1),
  learning.slice(0, 5),
  learning.slice(2, 3),
  learning.slice(-1),
];

describeEngines("frozen operations", (engine) => {
  for (const frozen of some) {
    it(`${frozen.join(", ")}: the same output, and the same gradients of the rest, to the bit`, async () => {
      const whole = await resultsOf(engine, chain);
      const isFrozen = (name: string) => frozen.includes(name.split(".")[0] as string);
      await withProgram(engine, { ...chain, frozen }, async (program) => {
        const { images, outputGradient } = dataOf(chain, program.outputShape);
        const results = await passThrough(program, images, outputGradient);
        assert.deepEqual(results, new Map([...whole].filter(([name]) => !isFrozen(name))));
        assert.equal(program.frozen.length, 2 * frozen.length);
        assert.ok(program.frozen.every(({ name }) => isFrozen(name)));
        for (const { name, value } of program.frozen) {
          const values = await program.read(value);
          assert.deepEqual(values, parameterValues(name, values.length), `${name} is kept as it was written`);
        }
      });
    });
  }

  it("cost no gradient, and nothing is computed below the lowest that learns", async () => {
    const frozen = [...learning.slice(0, 3), learning[4] as string];
    await withProgram(engine, { ...chain, frozen }, async (program) => {
      const { images, outputGradient } = dataOf(chain, program.outputShape);
      await passThrough(program, images, outputGradient);
      const account = program.takeProfile();
      if (engine.name === "reference" || engine.name === "webgpu") return assert.deepEqual(account, []);
      const done = (wanted: string) =>
        new Set(account.filter(({ direction }) => direction === wanted).map(({ layer }) => layer));
      const trained = learning.filter((name) => !frozen.includes(name));
      assert.deepEqual([...done("backwardWeights")].sort(), trained.toSorted());
      const lowest = layers.findIndex(({ name }) => name === trained[0]);
      const above = new Set(layers.slice(lowest).map(({ name }) => name));
      for (const name of done("backwardData")) assert.ok(name === "loss" || above.has(name), `${name}: backward data`);
      const { memory } = program;
      assert.ok(memory.gradients < memory.parameters, "no memory for gradients of what is frozen");
    });
  });

  it("all of them: nothing is trained", async () => {
    await withProgram(engine, { ...chain, frozen: learning }, async (program) => {
      const { images, outputGradient } = dataOf(chain, program.outputShape);
      assert.deepEqual([...(await passThrough(program, images, outputGradient)).keys()], ["output"]);
      assert.equal(await program.firstNonFinite("gradients"), undefined);
    });
  });
});
