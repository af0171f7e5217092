/** Softmax with cross-entropy, and binary cross-entropy. */
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

  const positiveWeights = [1, 3, 0.25, 1, 1, 7.5, 1];
  const binary = (batchSize: number): Chain => ({ ...classifier(7, batchSize), loss: { positiveWeights } });

  for (const scale of [1, 30]) {
    it(`binary cross-entropy of logits up to ${scale}: 10 eps forward, 10 eps backward`, async () => {
      const [classes, batchSize, count] = [7, 5, 4];
      const logits = uniform("logits", classes * batchSize, -scale, scale);
      const targets = uniform("targets", classes * batchSize, 0, 1).map((t, i) => (i % 3 === 0 ? t : Math.round(t)));
      await withProgram(engine, binary(batchSize), async (program) => {
        const result = await program.forwardBackward(logits, targets, count, noDraws);
        const kept = logits.subarray(0, count * classes).map(engine.arithmetic.keep);
        const weights = Array.from(kept, (_, i) => positiveWeights[i % classes] as number);
        const lossOf = (z: number, i: number) => {
          const t = targets[i] as number;
          const p = 1 / (1 + Math.exp(-z));
          return -(weights[i] as number) * t * Math.log(p) - (1 - t) * Math.log(1 / (1 + Math.exp(z)));
        };
        const terms = Array.from(kept, lossOf);
        const expected = terms.reduce((sum, term) => sum + term, 0) / kept.length;
        assertClose(result.logits, kept, {}, "logits");
        assertClose([result.loss], [expected], { relative: 10 * eps }, "loss");
        const gradient = need(await readGradients(program), "input");
        // Central differences of the loss in f64: the step's error of h² and the rounding of 1e-16 / h balance at 1e-5.
        const h = 1e-5;
        const difference = (z: number, i: number) => (lossOf(z + h, i) - lossOf(z - h, i)) / (2 * h) / kept.length;
        const all = [...Array.from(kept, difference), ...new Array<number>(classes).fill(0)];
        const tolerance = keptWithin(engine, { relative: 10 * eps, absolute: 1e-8 });
        assertClose(gradient, all, tolerance, "gradient, and 0 after the last image");
      });
    });
  }

  it("binary cross-entropy of far logits is finite, and exact for targets that agree", async () => {
    await withProgram(engine, binary(1), async (program) => {
      const logits = Float32Array.from(positiveWeights, (_, c) => (c % 2 === 0 ? 1000 : -1000));
      const right = Float32Array.from(positiveWeights, (_, c) => (c + 1) % 2);
      assertClose([(await program.forwardBackward(logits, right, 1, noDraws)).loss], [0], {}, "right");
      const wrong = right.map((t) => 1 - t);
      const { loss } = await program.forwardBackward(logits, wrong, 1, noDraws);
      // Absent where the logit is 1000: weight 1; present where it is −1000: the positive weight.
      const kept = engine.arithmetic.keep(1000);
      assertClose([loss], [(kept * (4 + 3 + 1 + 7.5)) / 7], { relative: 10 * eps }, "wrong");
      await assert.rejects(program.forwardBackward(logits, wrong.subarray(1), 1, noDraws), {
        name: "ShapeError",
        message: "targets: expected 1 rows of 7 classes, got 6 values",
      });
    });
  });

  it("refuses positive weights of another number of classes", async () => {
    const chain = { ...classifier(3, 2), loss: { positiveWeights: [1, 1] } };
    await assert.rejects(
      withProgram(engine, chain, async () => {}),
      {
        name: "ShapeError",
        message: "loss: expected one positive weight for each of the outputs [3], got 2",
      },
    );
  });
});
