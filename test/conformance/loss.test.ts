/** Softmax with cross-entropy. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { ShapeError } from "../../src/errors.ts";
import { flatten } from "../../src/layers/kinds.ts";
import { oneHotTargets } from "../../src/training/objective/targets.ts";
import { assertClose } from "../assertClose.ts";
import { type Chain, need, noDraws, readGradients, uniform } from "../chains.ts";
import { describeEngines, eps, keptWithin, withProgram } from "./compare.ts";
import { softmax } from "./softmax.ts";

describeEngines("loss", (engine) => {
  const classifier = (classes: number, batchSize: number): Chain => ({
    input: [classes, 1, 1],
    layers: [flatten("flatten")],
    batchSize,
  });

  for (const scale of [1, 30]) {
    it(`softmax cross-entropy of logits up to ${scale}: 10 eps forward, 40 eps backward`, async () => {
      const [classes, batchSize] = [37, 5];
      const logits = uniform("logits", classes * batchSize, -scale, scale);
      const labels = [0, 36, 5, 5, 17];
      await withProgram(engine, classifier(classes, batchSize), async (program) => {
        const result = await program.forwardBackward(logits, oneHotTargets(labels, classes), batchSize, noDraws);
        const kept = logits.map(engine.arithmetic.keep);
        const expected = softmax(kept, labels, classes);
        assertClose(result.logits, kept, {}, "logits");
        assertClose([result.loss], [expected.loss], { relative: 10 * eps }, "loss");
        const gradient = need(await readGradients(program), "input");
        // p − 1 cancels where p is near 1, so the bound is relative to the largest gradient there can be, 1 / N.
        const tolerance = keptWithin(engine, { relative: 40 * eps, absolute: (2 * eps) / batchSize });
        assertClose(gradient, expected.gradient, tolerance, "gradient");
      });
    });
  }

  it("of 1,000 equal logits is ln 1000, and of far apart ones finite", async () => {
    await withProgram(engine, classifier(1000, 2), async (program) => {
      const targets = oneHotTargets([1, 999], 1000);
      const equal = await program.forwardBackward(new Float32Array(2000).fill(3), targets, 2, noDraws);
      assertClose([equal.loss], [Math.log(1000)], { relative: 10 * eps }, "loss");
      const far = new Float32Array(2000);
      far[7] = 200;
      const wrong = await program.forwardBackward(far, targets, 2, noDraws);
      assertClose([wrong.loss], [(200 + Math.log(1000)) / 2], { relative: 10 * eps }, "loss far apart");
    });
  });

  it("refuses targets or images that are missing, and a batch too large", async () => {
    await withProgram(engine, classifier(3, 2), async (program) => {
      const images = new Float32Array(6);
      await assert.rejects(program.forwardBackward(images, new Float32Array(5), 2, noDraws), {
        name: "ShapeError",
        message: "targets: expected 2 rows of 3 classes, got 5 values",
      });
      await assert.rejects(program.forwardTraining(new Float32Array(9), 3, noDraws), ShapeError);
      await assert.rejects(program.forwardTraining(images, 0, noDraws), ShapeError);
      await assert.rejects(program.forward(images.subarray(1), 2, noDraws), ShapeError);
    });
  });
});
