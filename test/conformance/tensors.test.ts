/** Longer than other files: all that a program does with its tensors outside of a step. */
// Runs beside others: the memory that it measures is its own.
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Assignment, Tensor } from "../../src/engine/engine.ts";
import { ShapeError } from "../../src/errors.ts";
import { conv2d, flatten, linear } from "../../src/layers/kinds.ts";
import type { AnyLayer } from "../../src/layers/layer.ts";
import { sizeOf } from "../../src/shape.ts";
import { assertClose, assertCloseNorm } from "../assertClose.ts";
import { type Chain, compileInference, fillParameters, noDraws, parameterValues, uniform } from "../chains.ts";
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

  /** Of an update, one assignment to each of three tensors. */
  type Assignments = (a: Tensor, b: Tensor, c: Tensor) => readonly Assignment[];
  /** The same in plain f64, element by element. */
  type Formula = (x: { a: number; b: number; c: number }) => void;

  const scalar = { value: 0 };
  const updates: readonly (readonly [what: string, assignments: Assignments, formula: Formula])[] = [
    [
      "in place, sums and products with tensors and scalars",
      (a, b, c) => [
        {
          target: a,
          from: a,
          operations: [
            ["multiply", { value: 0.5 }],
            ["subtract", b],
            ["multiply", scalar],
            ["add", c],
          ],
        },
      ],
      (x) => {
        x.a = (0.5 * x.a - x.b) * scalar.value + x.c;
      },
    ],
    [
      "the target among the operands",
      (a, b, c) => [
        {
          target: a,
          from: b,
          operations: [
            ["subtract", a],
            ["multiply", a],
            ["add", a],
            ["multiply", c],
          ],
        },
      ],
      (x) => {
        x.a = ((x.b - x.a) * x.a + x.a) * x.c;
      },
    ],
    [
      "roots and reciprocals",
      (a, b, c) => [
        {
          target: a,
          from: b,
          operations: [
            ["multiply", b],
            ["squareRoot"],
            ["add", { value: 0.25 }],
            ["reciprocal"],
            ["multiply", c],
            ["square"],
            ["subtract", a],
          ],
        },
      ],
      (x) => {
        x.a = (x.c / (Math.abs(x.b) + 0.25)) ** 2 - x.a;
      },
    ],
    [
      "one assignment after the other",
      (a, b, c) => [
        { target: a, from: b, operations: [["add", c]] },
        { target: b, from: a, operations: [["multiply", a]] },
        { target: c, from: a, operations: [["subtract", b]] },
      ],
      (x) => {
        x.a = x.b + x.c;
        x.b = x.a * x.a;
        x.c = x.a - x.b;
      },
    ],
  ];
  for (const [what, assignments, formula] of updates) {
    it(`updates: ${what}`, async () => {
      // Longer than a piece for one thread of the fast engine, by no round number; and one number.
      for (const layers of [
        [flatten("flatten"), linear("fc", { outFeatures: 1021 })],
        [conv2d("layer", { outChannels: 7, kernelSize: 3 })],
        [flatten("flatten"), linear("fc", { outFeatures: 1 })],
      ] as const) {
        const one = { ...engine, create: () => engine.create({ threads: 1 }) };
        await withProgram(one, { input: [5, 6, 6], layers, batchSize: 1 }, async (program) => {
          for (const { name, value, gradient } of program.parameters) {
            const tensors = [value, gradient, program.newTensor(value)] as const;
            const values = tensors.map((_, i) => uniform(`${name} ${i}`, sizeOf(value.shape)));
            for (const [i, tensor] of tensors.entries()) await program.write(tensor, values[i] as Float32Array);
            const update = program.compileUpdate(assignments(...tensors));
            for (const run of [1.5, -0.25]) {
              scalar.value = run;
              update.run();
              for (let i = 0; i < sizeOf(value.shape); i++) {
                const at = (n: number) => values[n]?.[i] as number;
                const x = { a: at(0), b: at(1), c: at(2) };
                formula(x);
                [x.a, x.b, x.c].forEach((y, n) => {
                  (values[n] as Float32Array)[i] = y;
                });
              }
              for (const [i, tensor] of tensors.entries()) {
                const expected = values[i] as Float32Array;
                // Seven operations, none of them a difference of large numbers: (c / 0.25)² is at most 16.
                assertClose(
                  await program.read(tensor),
                  expected,
                  { absolute: 64 * eps, relative: 64 * eps },
                  `${name}, ${"abc"[i]}`,
                );
                expected.set(await program.read(tensor));
              }
            }
          }
        });
      }
    });
  }

  it("updates refuse tensors of other shapes", async () => {
    await withProgram(engine, chain, async (program) => {
      const [weight, bias] = program.parameters;
      assert.ok(weight && bias);
      const [target, other] = [weight.value, bias.value];
      for (const operations of [
        [["add", other]],
        [
          ["add", target],
          ["multiply", other],
        ],
      ] as const) {
        assert.throws(() => program.compileUpdate([{ target, from: target, operations }]), ShapeError);
      }
      assert.throws(() => program.compileUpdate([{ target, from: other, operations: [["add", target]] }]), ShapeError);
    });
  });

  it("sums of squares, over pieces and padding", async () => {
    const layers = [
      flatten("flatten"),
      linear("fc1", { outFeatures: 1021 }),
      linear("fc2", { outFeatures: 64 }),
      linear("fc3", { outFeatures: 1 }),
    ];
    await withProgram(engine, { input: [5, 6, 6], layers, batchSize: 1 }, async (program) => {
      for (const { name, value } of program.parameters) {
        const values = uniform(`${name} squares`, sizeOf(value.shape));
        await program.write(value, values);
        const expected = values.reduce((sum, x) => sum + x * x, 0);
        // Rounding of at most 3,000 squares in a row, at random.
        assertClose([await program.sumOfSquares([value])], [expected], { relative: 1e-6 }, name);
        await program.write(value, values.with(values.length - 1, Number.NaN));
        assert.ok(Number.isNaN(await program.sumOfSquares([value])));
      }
    });
  });

  const tolerance = stackTolerance(engine, chain);

  it("a weight changed by an update or write is the one that the next step computes with", async () => {
    await withProgram(engine, chain, async (program) => {
      const { images } = dataOf(chain, program.outputShape);
      const output = (await program.forwardTraining(images, 1, noDraws)).slice();
      for (const { value } of program.parameters) {
        program.compileUpdate([{ target: value, from: value, operations: [["multiply", { value: 2 }]] }]).run();
      }
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
      for (const part of ["values", "gradients"] as const) {
        const other = part === "values" ? "gradients" : "values";
        assert.equal(await program.firstNonFinite(part), undefined);
        for (const { name, value, gradient } of program.parameters.toReversed()) {
          const values = uniform(name, sizeOf(value.shape));
          for (const place of [0, values.length >> 1, values.length - 1]) {
            const changed = values.with(place, bad[place % 3] ?? Number.NaN);
            await program.write(part === "values" ? value : gradient, changed);
            assert.equal(await program.firstNonFinite(part), name);
            assert.equal(await program.firstNonFinite(other), undefined);
          }
        }
        for (const { value, gradient } of program.parameters) {
          await program.write(part === "values" ? value : gradient, new Float32Array(sizeOf(value.shape)));
        }
      }
    });
  });

  it("a tensor's own memory, where an engine gives it, takes its values as write does", async () => {
    const layers = [...chain.layers, flatten("flatten"), linear("fc", { outFeatures: 30 })];
    const made = await engine.create();
    const outputs: Float32Array[] = [];
    const own = new Set<string>();
    for (const isDirect of [false, true]) {
      const program = await compileInference(made, engine.settings, { ...chain, layers });
      for (const { name, value } of program.parameters) {
        const values = parameterValues(name, sizeOf(value.shape));
        const memory = isDirect ? program.memoryOf?.(value) : undefined;
        if (memory) own.add(name);
        if (memory) memory.set(values);
        else await program.write(value, values);
      }
      const { images } = dataOf(chain, program.outputShape);
      outputs.push(await program.forward(images, 1, noDraws));
      program.close();
    }
    made.close();
    assert.deepEqual(outputs[1], outputs[0]);
    // For a single image, a linear layer multiplies weights in row order: the largest tensors need no copy.
    const expected = engine.name.startsWith("onednn, f32") ? ["fc.weight"] : [];
    assert.deepEqual(
      [...own].filter((name) => name === "fc.weight"),
      expected,
    );
  });

  it("values that an update makes infinite or NaN are found in all its pieces; large finite ones are not", async () => {
    const layers = [flatten("flatten"), linear("fc", { outFeatures: 3_001 })];
    await withProgram(engine, { ...chain, layers }, async (program) => {
      const { name, value } = program.parameters.find((parameter) => parameter.name === "fc.weight") ?? {};
      assert.ok(name && value);
      const length = sizeOf(value.shape);
      const clean = uniform(name, length);
      const addend = program.newTensor(value);
      const add = program.compileUpdate([{ target: value, from: value, operations: [["add", addend]] }]);
      for (const place of [0, length >> 1, length - 1]) {
        for (const bad of [Number.NaN, Number.NEGATIVE_INFINITY]) {
          await program.write(addend, new Float32Array(length).fill(bad, place, place + 1));
          add.run();
          assert.equal(await program.firstNonFinite("values"), name, `${bad} at ${place}`);
          await program.write(value, clean);
          assert.equal(await program.firstNonFinite("values"), undefined);
        }
      }
      await program.write(addend, new Float32Array(length).fill(3e38));
      add.run();
      assert.equal(await program.firstNonFinite("values"), undefined);
      await program.write(value, clean.with(length - 1, Number.NaN));
      assert.equal(await program.firstNonFinite("values"), name);
    });
  });

  // Updates know nothing of precisions and algorithms: once for each library.
  if (engine !== engines.find(({ create }) => create === engine.create)) return;

  // A software adapter has no library that keeps primitives, and takes long for these thousands of steps.
  const skip = engine.isEmulated === true;
  it("updates with scalars that always differ, and reads, give back what they take", { skip }, async () => {
    // On one thread: it is thousands of steps, each shorter than a wait for another thread on a busy machine.
    const alone = { ...engine, create: () => engine.create({ threads: 1 }) };
    await withProgram(alone, chain, async (program) => {
      const value = program.parameters[0]?.value;
      assert.ok(value);
      const velocity = program.newTensor(value);
      const into = new Float32Array(sizeOf(value.shape));
      let step = 0;
      const share = { value: 0 };
      const operations = [
        ["multiply", share],
        ["add", velocity],
        ["multiply", { value: 0.5 }],
      ] as const;
      const update = program.compileUpdate([{ target: velocity, from: value, operations }]);
      const repeat = async (times: number) => {
        for (const last = step + times; step < last; step++) {
          share.value = 1 / (step + 1);
          update.run();
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
