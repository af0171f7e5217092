/** Longer than other files: all that a program does with its tensors outside of a step. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { ShapeError } from "../../src/errors.ts";
import { conv2d, flatten, linear } from "../../src/layers/kinds.ts";
import type { AnyLayer } from "../../src/layers/layer.ts";
import { sizeOf } from "../../src/shape.ts";
import { assertClose, assertCloseNorm } from "../assertClose.ts";
import { type Chain, fillParameters, noDraws, uniform } from "../chains.ts";
import { engines } from "../engines.ts";
import { residentBytes } from "../residentBytes.ts";
import { dataOf, describeEngines, eps, withProgram } from "./compare.ts";
import { stackTolerance } from "./stacks.ts";

describeEngines("tensors", (engine) => {
  for (const [name, input, layers] of [
    ["conv 5 → 7", [5, 6, 6], [conv2d("layer", { outChannels: 7, kernelSize: 3 })]],
    ["conv 1 → 96, 11×11", [1, 31, 31], [conv2d("layer", { outChannels: 96, kernelSize: 11, stride: 4 })]],
    ["conv 1 → 1, 1×1", [1, 2, 2], [conv2d("layer", { outChannels: 1, kernelSize: 1 })]],
    ["conv 34 → 18 in 2 groups", [34, 5, 5], [conv2d("layer", { outChannels: 18, kernelSize: 3, groups: 2 })]],
    ["conv 6 → 6 in 6 groups", [6, 5, 5], [conv2d("layer", { outChannels: 6, kernelSize: 3, groups: 6 })]],
    ["linear behind maps 19×3×5 → 21", [19, 3, 5], [flatten("flatten"), linear("layer", { outFeatures: 21 })]],
    ["linear 1 → 1", [1, 1, 1], [flatten("flatten"), linear("layer", { outFeatures: 1 })]],
  ] as const satisfies readonly (readonly [string, Chain["input"], readonly AnyLayer[]])[]) {
    it(`read gives back what write took, to the bit: ${name}`, async () => {
      await withProgram(engine, { input, layers, batchSize: 2 }, async (program) => {
        for (const { name: key, value, gradient } of program.parameters) {
          for (const tensor of [value, gradient, program.newTensor(value)]) {
            const values = uniform(`${key} round trip`, sizeOf(tensor.shape));
            await program.write(tensor, values);
            assert.deepEqual(await program.read(tensor), values, key);
            const into = new Float32Array(values.length);
            assert.equal(await program.read(tensor, into), into);
            assert.deepEqual(into, values);
            await assert.rejects(program.write(tensor, new Float32Array(values.length + 1)), ShapeError);
          }
        }
      });
    });
  }

  const chain: Chain = { input: [5, 6, 6], layers: [conv2d("conv", { outChannels: 7, kernelSize: 3 })], batchSize: 1 };

  it("programs list parameters in the network's order, with their shapes and the memory they take", async () => {
    const layers = [...chain.layers, flatten("flatten"), linear("fc", { outFeatures: 3 })];
    await withProgram(engine, { ...chain, layers }, async (program) => {
      const shapes = program.parameters.map(({ name, value, gradient }) => [name, value.shape, gradient.shape]);
      assert.deepEqual(shapes, [
        ["conv.weight", [7, 5, 3, 3], [7, 5, 3, 3]],
        ["conv.bias", [7], [7]],
        ["fc.weight", [3, 112], [3, 112]],
        ["fc.bias", [3], [3]],
      ]);
      const least = 4 * (7 * 45 + 7 + 336 + 3);
      assert.ok(program.memory.parameters >= least && program.memory.gradients >= least);
      assert.ok(program.memory.activations > 0);
      assert.deepEqual(
        [program.batchSize, program.outputShape, program.precision],
        [1, [3], engine.settings.precision],
      );
    });
  });

  it("a new tensor is zero", async () => {
    await withProgram(engine, chain, async (program) => {
      for (const { value } of program.parameters) {
        const tensor = program.newTensor(value);
        assert.deepEqual(tensor.shape, value.shape);
        assert.ok((await program.read(tensor)).every((x) => x === 0));
      }
    });
  });

  it("combine adds up scaled tensors, the target among them at any place or not at all", async () => {
    await withProgram(engine, chain, async (program) => {
      for (const { value } of program.parameters) {
        const [a, b, c] = [0, 1, 2].map((i) => ({
          tensor: program.newTensor(value),
          values: uniform(`term ${i}`, sizeOf(value.shape)),
        }));
        assert.ok(a && b && c);
        const reset = async () => {
          for (const { tensor, values } of [a, b, c]) await program.write(tensor, values);
        };
        const sum = (x: number, y: number, z: number) =>
          a.values.map((_, i) => x * (a.values[i] ?? 0) + y * (b.values[i] ?? 0) + z * (c.values[i] ?? 0));
        const check = async (expected: Float32Array) => {
          // Three products and two sums of numbers below 2.
          assertClose(await program.read(a.tensor), expected, { absolute: 4 * eps }, "combination");
          assert.deepEqual(await program.read(b.tensor), b.values);
          assert.deepEqual(await program.read(c.tensor), c.values);
        };
        await reset();
        program.combine([
          {
            target: a.tensor,
            terms: [
              [0.5, a.tensor],
              [-1.5, b.tensor],
              [2, c.tensor],
            ],
          },
        ]);
        await check(sum(0.5, -1.5, 2));
        await reset();
        program.combine([
          {
            target: a.tensor,
            terms: [
              [-1.5, b.tensor],
              [0.5, a.tensor],
            ],
          },
        ]);
        await check(sum(0.5, -1.5, 0));
        await reset();
        program.combine([
          {
            target: a.tensor,
            terms: [
              [2, b.tensor],
              [0.25, c.tensor],
            ],
          },
        ]);
        await check(sum(0, 2, 0.25));
        await reset();
        program.combine([{ target: a.tensor, terms: [[-3, a.tensor]] }]);
        await check(sum(-3, 0, 0));
      }
    });
  });

  it("combine takes another scale at every call", async () => {
    await withProgram(engine, chain, async (program) => {
      const value = program.parameters[1]?.value;
      assert.ok(value);
      await program.write(value, new Float32Array(7).fill(1));
      for (const scale of [2, 3, 0.5, 7]) program.combine([{ target: value, terms: [[scale, value]] }]);
      assert.deepEqual(await program.read(value), new Float32Array(7).fill(21));
    });
  });

  const tolerance = stackTolerance(engine, chain);

  it("a weight changed by combine or write is the one that the next step computes with", async () => {
    await withProgram(engine, chain, async (program) => {
      const { images } = dataOf(chain, program.outputShape);
      const output = (await program.forwardTraining(images, 1, noDraws)).slice();
      for (const { value } of program.parameters) program.combine([{ target: value, terms: [[2, value]] }]);
      const doubled = output.map((y) => 2 * y);
      assertCloseNorm(await program.forwardTraining(images, 1, noDraws), doubled, tolerance, "training");
      assertCloseNorm(await program.forward(images, 1, noDraws), doubled, tolerance, "evaluation");
      await fillParameters(program);
      assertCloseNorm(await program.forward(images, 1, noDraws), output, tolerance, "written back");
    });
  });

  it("the first parameter whose values or gradient are not finite is found, wherever in it", async () => {
    const layers = [...chain.layers, flatten("flatten"), linear("fc", { outFeatures: 3 })];
    await withProgram(engine, { ...chain, layers }, async (program) => {
      const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (const of of ["values", "gradients"] as const) {
        const other = of === "values" ? "gradients" : "values";
        assert.equal(program.firstNonFinite(of), undefined);
        for (const { name, value, gradient } of program.parameters.toReversed()) {
          const values = uniform(name, sizeOf(value.shape));
          for (const place of [0, values.length >> 1, values.length - 1]) {
            const changed = values.with(place, bad[place % 3] ?? Number.NaN);
            await program.write(of === "values" ? value : gradient, changed);
            assert.equal(program.firstNonFinite(of), name);
            assert.equal(program.firstNonFinite(other), undefined);
          }
        }
        for (const { value, gradient } of program.parameters) {
          await program.write(of === "values" ? value : gradient, new Float32Array(sizeOf(value.shape)));
        }
      }
    });
  });

  // Combinations know nothing of precisions and algorithms: once for each library.
  if (engine !== engines.find(({ create }) => create === engine.create)) return;

  it("combinations that always differ, and reads, give back what they take", async () => {
    // On one thread: it is thousands of steps, each shorter than a wait for another thread on a busy machine.
    const alone = { ...engine, create: () => engine.create({ threads: 1 }) };
    await withProgram(alone, chain, async (program) => {
      const value = program.parameters[0]?.value;
      assert.ok(value);
      const velocity = program.newTensor(value);
      const into = new Float32Array(sizeOf(value.shape));
      let step = 0;
      const repeat = async (times: number) => {
        for (const last = step + times; step < last; step++) {
          program.combine([
            {
              target: velocity,
              terms: [
                [0.5, velocity],
                [1 / (step + 1), value],
              ],
            },
          ]);
          await program.read(velocity, into);
        }
        return residentBytes();
      };
      // The library keeps its newest 1024 primitives: what it holds is full after the first round.
      await repeat(4000);
      const before = Math.max(await repeat(1000), await repeat(1000));
      const after = Math.min(await repeat(4000), await repeat(1000));
      const grown = after - before;
      // A leak of one primitive a step, the smallest thing that can leak here, is 4 kB × 4000 = 16 MB. The runtime's own heap swings as much, up and down.
      assert.ok(grown < 12 * 2 ** 20, `${(grown / 2 ** 20).toFixed(1)} MB more after 4000 steps`);
    });
  });
});
