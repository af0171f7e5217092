/** Batch normalization: exact statistics, PyTorch's numbers, smaller batches, frozen layers. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { TrainingProgram } from "../../src/engine/engine.ts";
import { ShapeError } from "../../src/errors.ts";
import { batchNorm2d, conv2d, relu } from "../../src/layers/kinds.ts";
import { assertClose } from "../assertClose.ts";
import { type Chain, compileInference, fillParameters, need, noDraws, passThrough, readGradients } from "../chains.ts";
import type { EngineUnderTest } from "../engines.ts";
import { readGolden } from "../golden.ts";
import { dataOf, describeEngines, eps, keptWithin, withProgram } from "./compare.ts";

/** A program's parameters and statistics by their roles. */
function tensorsOf(program: TrainingProgram, layer: string) {
  return new Map(
    [...program.parameters, ...program.frozen]
      .filter(({ name }) => name.startsWith(`${layer}.`))
      .map(({ name, value }) => [name.slice(layer.length + 1), value]),
  );
}

async function readAll(program: TrainingProgram, layer: string): Promise<ReadonlyMap<string, Float32Array>> {
  const read = new Map<string, Float32Array>();
  for (const [role, tensor] of tensorsOf(program, layer)) read.set(role, (await program.read(tensor)).slice());
  return read;
}

const channels = 3;
const alone: Chain = { input: [channels, 5, 4], layers: [batchNorm2d("n", { eps: 1e-3 })], batchSize: 4 };
/** The library chooses blocks of channels after a convolution. */
const identity = conv2d("identity", { outChannels: channels, kernelSize: 1 });
const chains: Readonly<Record<string, Chain>> = {
  alone,
  "after a convolution": { ...alone, layers: [identity, ...alone.layers] },
};

/** PyTorch's numbers: see scripts/golden/batchNorm.py. */
interface Golden {
  readonly cases: readonly {
    readonly options: { readonly eps: number; readonly momentum: number; readonly affine: boolean };
    readonly shape: readonly [number, number, number, number];
    readonly input: readonly number[];
    readonly outputGradient: readonly number[];
    readonly tensors: Readonly<Record<string, readonly number[]>>;
    readonly training: {
      readonly output: readonly number[];
      readonly inputGradient: readonly number[];
      readonly gradients: Readonly<Record<string, readonly number[]>>;
      readonly statistics: Readonly<Record<string, readonly number[]>>;
    };
    readonly evaluation: readonly number[];
  }[];
}

/** Sums of some dozens of products of size 1 in f32; bf16 rounds input, output and gradient. */
const tolerance = (engine: EngineUnderTest) => keptWithin(engine, { absolute: 100 * eps, relative: 100 * eps }, 6);

async function assertGolden(engine: EngineUnderTest, one: Golden["cases"][number]): Promise<void> {
  const [batchSize, ...input] = one.shape;
  const chain: Chain = { input, layers: [batchNorm2d("n", one.options)], batchSize };
  await withProgram(engine, chain, async (program) => {
    for (const [role, tensor] of tensorsOf(program, "n")) {
      await program.write(tensor, Float32Array.from(one.tensors[role] ?? []));
    }
    const images = Float32Array.from(one.input);
    const results = await passThrough(program, images, Float32Array.from(one.outputGradient));
    const allowed = tolerance(engine);
    assertClose(need(results, "output"), one.training.output, allowed, "output");
    assertClose(need(results, "input"), one.training.inputGradient, allowed, "input gradient");
    for (const [role, values] of Object.entries(one.training.gradients)) {
      assertClose(need(results, `n.${role}`), values, keptWithin(engine, { absolute: 1e-4 }, 40), role);
    }
    const after = await readAll(program, "n");
    for (const [role, values] of Object.entries(one.training.statistics)) {
      assertClose(need(after, role), values, allowed, role);
    }
    assertClose(await program.forward(images, batchSize, noDraws), one.evaluation, allowed, "evaluation");
  });
}

const { cases } = await readGolden<Golden>("batchNorm");

describeEngines("batch norm", (engine) => {
  for (const [i, one] of cases.entries()) {
    it(`PyTorch's numbers, case ${i}: ${JSON.stringify(one.options)}`, () => assertGolden(engine, one));
  }

  for (const [name, chain] of Object.entries(chains)) {
    it(`${name}: a smaller batch has its own statistics, and nothing of a larger one before it`, async () => {
      const { images, outputGradient } = dataOf(chain, alone.input);
      const [size, count] = [images.length / 4, 3];
      const part = [images.subarray(0, count * size), outputGradient.subarray(0, count * size)] as const;
      const expected = await withProgram(engine, { ...chain, batchSize: count }, async (program) => {
        const results = await passThrough(program, ...part);
        return { results, statistics: await readAll(program, "n") };
      });
      await withProgram(engine, chain, async (program) => {
        await passThrough(
          program,
          images.map((x) => 100 * x),
          outputGradient,
        );
        await fillParameters(program);
        const results = await passThrough(program, ...part, count);
        const allowed = tolerance(engine);
        for (const [key, values] of expected.results) {
          assertClose(need(results, key).subarray(0, values.length), values, allowed, key);
        }
        assert.ok(
          need(results, "input")
            .subarray(count * size)
            .every((x) => x === 0),
          "no gradient of missing images",
        );
        const after = await readAll(program, "n");
        for (const [key, values] of expected.statistics) assertClose(need(after, key), values, allowed, key);
      });
    });

    it(`${name}: frozen, training computes what evaluation does, and keeps the statistics`, async () => {
      await withProgram(engine, { ...chain, frozen: ["n"] }, async (program) => {
        const { images, outputGradient } = dataOf(chain, alone.input);
        const before = await readAll(program, "n");
        const evaluated = (await program.forward(images, 4, noDraws)).slice();
        const { output } = Object.fromEntries(await passThrough(program, images, outputGradient));
        assert.deepEqual(output, evaluated);
        assert.deepEqual(await readAll(program, "n"), before);
        const gradient = need(await readGradients(program), "input");
        const [weight, variance] = [need(before, "weight"), need(before, "running_var")];
        const plane = 20;
        const expected = outputGradient.map((dy, i) => {
          const c = Math.floor(i / plane) % channels;
          return (dy * (weight[c] as number)) / Math.sqrt((variance[c] as number) + 1e-3);
        });
        assertClose(gradient, expected, tolerance(engine), "input gradient");
      });
    });
  }

  it("evaluation changes no statistics, and an inference program agrees with it", async () => {
    await withProgram(engine, alone, async (program, made) => {
      const { images } = dataOf(alone, alone.input);
      const before = await readAll(program, "n");
      const expected = (await program.forward(images, 4, noDraws)).slice();
      assert.deepEqual(await readAll(program, "n"), before);
      const inference = await compileInference(made, engine.settings, alone);
      await fillParameters(inference);
      assertClose(await inference.forward(images, 4, noDraws), expected, tolerance(engine), "output");
      inference.close();
    });
  });

  it("a statistic that becomes infinite is found", async () => {
    await withProgram(engine, alone, async (program) => {
      const { images } = dataOf(alone, alone.input);
      assert.equal(await program.firstNonFinite("values"), undefined);
      await program.forwardTraining(
        images.map((x) => 1e30 * x),
        4,
        noDraws,
      );
      assert.equal(await program.firstNonFinite("values"), "n.running_var");
      assert.equal(await program.firstNonFinite("gradients"), undefined);
    });
  });

  it("a single value per channel is refused in training, and computed at evaluation", async () => {
    const chain: Chain = { input: [2, 1, 1], layers: [batchNorm2d("n"), relu("r")], batchSize: 2 };
    await withProgram(engine, chain, async (program) => {
      const images = Float32Array.of(1, 2, 3, 4);
      await assert.rejects(program.forwardTraining(images, 1, noDraws), (error) => {
        assert.ok(error instanceof ShapeError);
        assert.match(error.message, /^n: batch statistics of 1 value per channel \(expected at least 2\); /);
        return true;
      });
      await program.forwardTraining(images, 2, noDraws);
      assert.equal((await program.forward(images, 1, noDraws)).length, 2);
    });
  });
});
