/** Fewer images than the batch size. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { sizeOf } from "../../src/shape.ts";
import { oneHotTargets } from "../../src/training/objective/targets.ts";
import { assertCloseNorm } from "../assertClose.ts";
import { need, noDraws, type Results, readGradients, uniform } from "../chains.ts";
import { describeEngines, withProgram } from "./compare.ts";
import { softmax } from "./softmax.ts";
import { stacks, stackTolerance } from "./stacks.ts";

describeEngines("smaller batches", (engine) => {
  const { input, layers } = need(
    new Map(Object.entries(stacks)),
    "flatten → dropout → linear after a pool, as in alexnet-owt",
  );
  const tolerance = stackTolerance(engine, { layers });
  const images = uniform("images", 4 * sizeOf(input));
  const labels = [1, 5, 0, 3];

  async function step(batchSize: number, count: number, before: boolean): Promise<Results> {
    return withProgram(engine, { input, layers, batchSize }, async (program) => {
      // A full batch first, so that the rows beyond `count` hold something.
      if (before)
        await program.forwardBackward(images.toReversed(), oneHotTargets([2, 2, 2, 2], 6), 4, { seed: 9, first: 0 });
      const { loss, logits } = await program.forwardBackward(images, oneHotTargets(labels, 6), count, noDraws);
      const gradients = await readGradients(program);
      const inputs = need(gradients, "input");
      assert.equal(logits.length, count * 6);
      assert.ok(
        inputs.subarray(count * sizeOf(input)).every((x) => x === 0),
        "padded rows have no gradient",
      );
      return new Map([
        ...gradients,
        ["loss", Float32Array.of(loss)],
        ["logits", logits.slice()],
        ["input", inputs.subarray(0, count * sizeOf(input))],
      ]);
    });
  }

  it("padded rows contribute nothing: loss and gradients are those of a batch compiled at that size", async () => {
    const [padded, compiled] = [await step(4, 3, true), await step(3, 3, false)];
    for (const [key, value] of compiled) assertCloseNorm(need(padded, key), value, tolerance, key);
  });

  it("a batch of one in a program for four", async () => {
    const [padded, compiled] = [await step(4, 1, true), await step(1, 1, false)];
    for (const [key, value] of compiled) assertCloseNorm(need(padded, key), value, tolerance, key);
  });

  it("the loss's gradients are those of the mean over the images, whichever half computes it", async () => {
    const whole = await step(4, 4, false);
    await withProgram(engine, { input, layers, batchSize: 4 }, async (program) => {
      const logits = await program.forwardTraining(images, 4, noDraws);
      await program.backward(Float32Array.from(softmax(logits, labels, 6).gradient));
      for (const [key, value] of await readGradients(program)) {
        assertCloseNorm(value, need(whole, key), tolerance, key);
      }
    });
  });
});
