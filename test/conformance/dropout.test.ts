/** Masks, their rate, and when they are drawn. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { DropoutDraws } from "../../src/engine/engine.ts";
import { dropout } from "../../src/layers/kinds.ts";
import { fillDropoutMask, randomStream } from "../../src/random.ts";
import { type Chain, compileInference, need, readGradients, uniform } from "../chains.ts";
import { describeEngines, withProgram } from "./compare.ts";

describeEngines("dropout", (engine) => {
  const { keep } = engine.arithmetic;
  const size = 3 * 5 * 7;
  const ones = new Float32Array(4 * size).fill(1);
  const chain = (options: { probability: number; activeAtEvaluation?: boolean }): Chain => ({
    input: [3, 5, 7],
    layers: [dropout("drop", options)],
    batchSize: 4,
  });
  const draws: DropoutDraws = { seed: 11, first: 1000 };

  /** The mask that the contract says: row r draws from the counter first + r of the layer's stream. */
  const masks = (probability: number, { seed, first }: DropoutDraws, rows = 4) => {
    const all = new Float32Array(rows * size);
    for (let r = 0; r < rows; r++) {
      const mask = all.subarray(r * size, (r + 1) * size);
      fillDropoutMask(randomStream(seed, "dropout:drop"), first + r, probability, new Uint32Array(size), mask);
    }
    return all.map(keep);
  };

  it("multiplies by the masks of (seed, layer, first + row), to the bit, forward and backward", async () => {
    for (const probability of [0.3, 0.5]) {
      await withProgram(engine, chain({ probability }), async (program) => {
        const output = (await program.forwardTraining(ones, 4, draws)).slice();
        assert.deepEqual(output, masks(probability, draws));
        await program.backward(ones);
        assert.deepEqual(need(await readGradients(program), "input"), masks(probability, draws));
      });
    }
  });

  it("gives an image the same mask whatever row it is in, and another seed or image another", async () => {
    await withProgram(engine, chain({ probability: 0.5 }), async (program) => {
      const forward = async (given: DropoutDraws, count = 4) =>
        (await program.forwardTraining(ones, count, given)).slice();
      const first = await forward(draws);
      const later = await forward({ ...draws, first: 1002 }, 2);
      assert.deepEqual(later, first.subarray(2 * size));
      assert.notDeepEqual(await forward({ ...draws, seed: 12 }), first);
      assert.notDeepEqual(first.subarray(0, size), first.subarray(size, 2 * size));
      assert.deepEqual(await forward(draws), first);
    });
  });

  it("keeps the expectation", async () => {
    await withProgram(engine, chain({ probability: 0.4 }), async (program) => {
      let sum = 0;
      const steps = 200;
      for (let step = 0; step < steps; step++) {
        const output = await program.forwardTraining(ones, 4, { seed: 1, first: 4 * step });
        sum += output.reduce((total, x) => total + x, 0);
      }
      // Five standard errors of the mean of n draws of variance p / (1 − p); what is expected is the factor as it is kept.
      const n = steps * 4 * size;
      assert.ok(Math.abs(sum / n - 0.6 * keep(1 / 0.6)) < 5 * Math.sqrt(0.4 / 0.6 / n), `${sum / n}`);
    });
  });

  it("is off at evaluation, in both kinds of program", async () => {
    const images = uniform("images", 4 * size);
    await withProgram(engine, chain({ probability: 0.5 }), async (program, made) => {
      assert.deepEqual((await program.forward(images, 4, draws)).slice(), images.map(keep));
      const inference = await compileInference(made, engine.settings, chain({ probability: 0.5 }));
      assert.deepEqual((await inference.forward(images, 4, draws)).slice(), images.map(keep));
      inference.close();
    });
  });

  it("stays on at evaluation where the layer says so, with masks by the image's number", async () => {
    const options = { probability: 0.5, activeAtEvaluation: true };
    await withProgram(engine, chain(options), async (program, made) => {
      assert.deepEqual((await program.forward(ones, 4, draws)).slice(), masks(0.5, draws));
      const inference = await compileInference(made, engine.settings, chain(options));
      assert.deepEqual((await inference.forward(ones, 4, draws)).slice(), masks(0.5, draws));
      assert.deepEqual(
        (await inference.forward(ones, 1, { ...draws, first: 1003 })).slice(),
        masks(0.5, draws).subarray(3 * size),
      );
      inference.close();
    });
  });

  it("with probability 0 changes nothing", async () => {
    const images = uniform("images", 4 * size);
    await withProgram(engine, chain({ probability: 0 }), async (program) => {
      assert.deepEqual((await program.forwardTraining(images, 4, draws)).slice(), images.map(keep));
    });
  });
});
