/** Same bits again, no side effects, closing. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { oneHotTargets } from "../../src/training/objective/targets.ts";
import { compileTraining, need, noDraws, passThrough } from "../chains.ts";
import { dataOf, describeEngines, withProgram } from "./compare.ts";
import { stacks } from "./stacks.ts";

describeEngines("repetition", (engine) => {
  const { input, layers } = need(new Map(Object.entries(stacks)), "conv → relu → norm → pool → conv → relu → linear");
  const chain = { input, layers, batchSize: 4 };

  it("the same step twice, and in another program, gives the same bits", async () => {
    const runs = [];
    for (let i = 0; i < 2; i++) {
      runs.push(
        await withProgram(engine, chain, async (program) => {
          const { images, outputGradient } = dataOf(chain, program.outputShape);
          const first = await passThrough(program, images, outputGradient);
          await passThrough(program, images.toReversed(), outputGradient);
          assert.deepEqual(await passThrough(program, images, outputGradient), first);
          return first;
        }),
      );
    }
    assert.deepEqual(runs[1], runs[0]);
  });

  it("leaves the caller's images and gradients alone", async () => {
    await withProgram(engine, chain, async (program) => {
      const { images, outputGradient } = dataOf(chain, program.outputShape);
      const copies = [images.slice(), outputGradient.slice()];
      await passThrough(program, images, outputGradient);
      assert.deepEqual([images, outputGradient], copies);
    });
  });

  it("computes on images written to the program's own memory, and on nothing behind them", async () => {
    await withProgram(engine, chain, async (program) => {
      const { images, outputGradient } = dataOf(chain, program.outputShape);
      const [own, gradient] = [program.input, outputGradient.subarray(0, (outputGradient.length * 3) / 4)];
      assert.equal(own.length, images.length);
      for (const [count, given] of [
        [4, outputGradient],
        [3, gradient],
      ] as const) {
        const expected = await passThrough(program, images, given, count);
        own.set(images);
        assert.deepEqual(await passThrough(program, own, given, count), expected);
      }
    });
  });

  it("work runs in the order of the calls, whether or not their promises are awaited", async () => {
    const steps = (isAwaited: boolean) =>
      withProgram(engine, chain, async (program) => {
        const { images } = dataOf(chain, program.outputShape);
        const targets = oneHotTargets([0, 1, 2, 3], 10);
        const updates = program.parameters.map(({ value, gradient }) =>
          program.compileUpdate([{ target: value, from: value, operations: [["subtract", gradient]] }]),
        );
        const losses: Promise<number>[] = [];
        const lossOf = async (first: number) => {
          const given = [images.slice(), targets.slice()] as const;
          const reading = program.forwardBackward(...given, 4, { seed: 1, first });
          // Arrays are read before the call returns.
          for (const array of given) array.fill(Number.NaN);
          return (await reading).loss;
        };
        for (let step = 0; step < 3; step++) {
          losses.push(lossOf(4 * step));
          if (isAwaited) await losses.at(-1);
          for (const update of updates) update.run();
        }
        const reads = program.parameters.map(({ value }) => program.read(value));
        const rest = [program.sumOfSquares(program.parameters.map(({ value }) => value)), ...losses];
        return [await Promise.all(reads), await Promise.all(rest), await program.firstNonFinite("values")];
      });
    assert.deepEqual(await steps(false), await steps(true));
  });

  it("images of the next pass are prepared in an input that no earlier call reads", async () => {
    await withProgram(engine, chain, async (program) => {
      const { images } = dataOf(chain, program.outputShape);
      const batches = [images, images.toReversed(), images.map((x) => -x), images];
      const expected = [];
      for (const batch of batches) expected.push((await program.forward(batch, 4, noDraws)).slice());
      const copyOf = async (images: Float32Array) => (await program.forward(images, 4, noDraws)).slice();
      const outputs: Promise<Float32Array>[] = [];
      for (const batch of batches) {
        const input = await program.nextInput();
        assert.equal(await program.nextInput(), input, "the same one until a call is given it");
        input.set(batch);
        outputs.push(copyOf(input));
      }
      assert.deepEqual(await Promise.all(outputs), expected);
    });
  });

  it("lends memory that a step in progress does not need", async () => {
    await withProgram(engine, chain, async (program) => {
      const { images, outputGradient } = dataOf(chain, program.outputShape);
      const expected = await passThrough(program, images, outputGradient);
      await program.forwardTraining(images, 4, noDraws);
      for (const length of [1, 1000, 100_000]) {
        assert.equal(program.scratch(length).fill(Number.NaN).length, length);
      }
      await program.backward(outputGradient);
      const [learned] = program.parameters;
      assert.ok(learned);
      const gradient = need(expected, learned.name);
      assert.deepEqual(await program.read(learned.gradient, program.scratch(gradient.length)), gradient);
    });
  });

  it("backward wants a training step before it, and its gradient", async () => {
    await withProgram(engine, chain, async (program) => {
      const { images, outputGradient } = dataOf(chain, program.outputShape);
      await assert.rejects(program.backward(outputGradient), /expected a forwardTraining just before/);
      await program.forwardTraining(images, 3, noDraws);
      await assert.rejects(program.backward(outputGradient), /expected \d+ values of gradient, got/);
      await program.forward(images, 4, noDraws);
      await assert.rejects(program.backward(outputGradient), /expected a forwardTraining just before/);
      await program.forwardTraining(images, 4, noDraws);
      await program.backward(outputGradient);
      await assert.rejects(program.backward(outputGradient), /expected a forwardTraining just before/);
    });
  });

  it("a program that is closed says so, and closing again does nothing", async () => {
    const made = await engine.create();
    const program = await compileTraining(made, engine.settings, chain);
    const { images, outputGradient } = dataOf(chain, program.outputShape);
    await program.forwardTraining(images, 4, noDraws);
    program.close();
    program.close();
    const value = program.parameters[0]?.value;
    assert.ok(value);
    await assert.rejects(program.forward(images, 4, noDraws), /close/);
    await assert.rejects(program.forwardTraining(images, 4, noDraws), /close/);
    await assert.rejects(program.backward(outputGradient), /close/);
    await assert.rejects(program.forwardBackward(images, oneHotTargets([0, 1, 2, 3], 10), 4, noDraws), /close/);
    await assert.rejects(program.read(value), /close/);
    assert.throws(() => program.newTensor(value), /close/);
    await assert.rejects(program.firstNonFinite("values"), /close/);
    await assert.rejects(program.sumOfSquares([value]), /close/);
    made.close();
  });
});
