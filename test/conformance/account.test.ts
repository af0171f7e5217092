/** Kernel profiles of programs, and the algorithm that each layer runs. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { KernelProfile, TrainingProgram } from "../../src/engine/engine.ts";
import { type Chain, need, noDraws, passThrough } from "../chains.ts";
import { type EngineUnderTest, engines } from "../engines.ts";
import { dataOf, describeEngines, resultsOf, withProgram } from "./compare.ts";
import { stacks } from "./stacks.ts";

const { input, layers } = need(
  new Map(Object.entries(stacks)),
  "alexnet, narrow: channels in whole blocks, groups, 3×3 convolutions",
);
const chain: Chain = { input, layers, batchSize: 2 };

async function steps(program: TrainingProgram, times: number): Promise<readonly KernelProfile[]> {
  const { images, outputGradient } = dataOf(chain, program.outputShape);
  for (let i = 0; i < times; i++) await passThrough(program, images, outputGradient);
  return program.takeProfile();
}

/** Layer and direction of each entry, once. */
function covered(account: readonly KernelProfile[]): ReadonlySet<string> {
  return new Set(account.map(({ layer, direction }) => `${layer} ${direction}`));
}

/** What the convolutions of each layer are computed by. */
function convolutions(account: readonly KernelProfile[]): ReadonlyMap<string, string> {
  const entries = account.filter(({ work }) => work === "convolution");
  return new Map(entries.map(({ layer, direction, implementation }) => [`${layer} ${direction}`, implementation]));
}

describeEngines("account", (engine) => {
  const keepsNone = engine.name === "reference" || engine.name === "webgpu";

  it("has every layer in every direction, and counts and times each run", async () => {
    await withProgram(engine, chain, async (program) => {
      assert.deepEqual(program.takeProfile(), [], "nothing has run yet");
      const account = await steps(program, 3);
      if (keepsNone) return assert.deepEqual(account, []);
      // An activation is computed along with the layer before it; to flatten is to copy, where it is anything.
      const own = layers.filter(({ kind }) => kind !== "relu" && kind !== "flatten");
      for (const { name, kind } of own) {
        const learns = kind === "conv2d" || kind === "linear";
        for (const direction of ["forward", "backwardData", ...(learns ? ["backwardWeights"] : [])]) {
          assert.ok(covered(account).has(`${name} ${direction}`), `${name} ${direction} is missing`);
        }
      }
      for (const { layer, work, implementation, runs, seconds } of account) {
        assert.equal(runs, 3, `${layer}: ${work}`);
        assert.ok(seconds > 0 && Number.isFinite(seconds), `${layer}: ${work} took ${seconds} s`);
        assert.ok(work.length > 0 && implementation.length > 0);
      }
      assert.deepEqual(program.takeProfile(), [], "it was taken");
      const again = await steps(program, 1);
      assert.deepEqual(covered(again), covered(account));
      assert.ok(again.every(({ runs }) => runs === 1));
    });
  });

  it("has the way up only where nothing else ran, and updates under the parameter's name", async () => {
    await withProgram(engine, chain, async (program) => {
      await program.forward(dataOf(chain, program.outputShape).images, 2, noDraws);
      const up = program.takeProfile();
      assert.ok(up.every(({ direction }) => direction === "forward"));
      assert.equal(up.length > 0, !keepsNone);
      const [parameter] = program.parameters;
      assert.ok(parameter);
      const { value, gradient } = parameter;
      const update = program.compileUpdate([{ target: value, from: value, operations: [["add", gradient]] }]);
      for (let i = 0; i < 5; i++) update.run();
      // One entry, or a second one for the sums in which a value that is not finite shows.
      const updates = program.takeProfile().map(({ layer, direction, runs }) => `${layer} ${direction} ${runs}`);
      assert.deepEqual([...new Set(updates)], keepsNone ? [] : [`${parameter.name} update 5`]);
    });
  });
});

const accountOf = (engine: EngineUnderTest) => withProgram(engine, chain, (program) => steps(program, 1));
/** Convolutions by the algorithm of the rule, which is direct or Winograd's for so small a network. */
const byRule = engines.filter(({ settings, name }) => !settings.exact && !name.endsWith("DFT"));

for (const engine of engines.filter(({ settings }) => settings.exact)) {
  it(`${engine.name}: convolutions are direct`, async () => {
    for (const [key, implementation] of convolutions(await accountOf(engine))) {
      assert.doesNotMatch(implementation, /wino/i, key);
    }
  });
}

for (const engine of engines.filter(({ name }) => name.endsWith("DFT"))) {
  it(`${engine.name}: convolutions of stride 1 are Fourier transforms and products, groups too; no others are`, async () => {
    const account = await accountOf(engine);
    assert.deepEqual([...convolutions(account).keys()].sort(), [
      "conv1 backwardData",
      "conv1 backwardWeights",
      "conv1 forward",
    ]);
    for (const name of ["conv2", "conv3", "conv4", "conv5"]) {
      for (const direction of ["forward", "backwardData", "backwardWeights"]) {
        const works = account.filter((entry) => entry.layer === name && entry.direction === direction);
        assert.ok(
          works.some(({ work }) => work === "DFT product"),
          `${name} ${direction}`,
        );
        assert.ok(
          works.some(({ work }) => work === "DFT transform"),
          `${name} ${direction}`,
        );
      }
    }
  });
}

for (const engine of byRule.filter(({ settings }) => settings.precision === "f32")) {
  it(`${engine.name}: 3×3 convolutions are Winograd's where the library has that, groups too; no others are`, async () => {
    const direct = engines.find(({ settings, create }) => settings.exact && create === engine.create);
    assert.ok(direct);
    const { version, description, close } = await engine.create();
    close();
    const isThere = version.startsWith("2.") && /AVX-512|AMX/.test(description);
    const expected = convolutions(await accountOf(direct));
    const actual = convolutions(await accountOf(engine));
    assert.deepEqual([...actual.keys()], [...expected.keys()]);
    for (const [key, implementation] of actual) {
      if (isThere && /^conv[345] /.test(key)) assert.match(implementation, /wino_4x3/, key);
      else assert.equal(implementation, expected.get(key), key);
    }
    if (!isThere) assert.deepEqual(await resultsOf(engine, chain), await resultsOf(direct, chain));
  });
}
