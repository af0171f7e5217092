/** Gradients against finite differences: networks that are right on every engine, and faults in one parameter, which are named. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { engines } from "../../test/engines.ts";
import { tinyNetwork } from "../../test/tinyRuns.ts";
import type { Engine, Tensor } from "../engine/engine.ts";
import { createReferenceEngine } from "../engine/reference/reference.ts";
import { parseNetwork } from "../network/network.ts";
import { compareGradients } from "./verifyGradients.ts";

/** A layer of each kind that trains, and those between them. */
const network = parseNetwork(
  {
    name: "own",
    input: [2, 9, 9],
    layers: [
      { kind: "conv2d", name: "conv1", outChannels: 4, kernelSize: 3, padding: 1, groups: 2 },
      { kind: "relu", name: "relu1" },
      { kind: "localResponseNorm", name: "norm1", size: 3, alpha: 0.5, beta: 0.75, k: 1 },
      { kind: "maxPool2d", name: "pool1", kernelSize: 3, stride: 2 },
      { kind: "flatten", name: "flat" },
      { kind: "dropout", name: "drop", probability: 0.5 },
      { kind: "linear", name: "fc1", outFeatures: 6 },
      { kind: "tanh", name: "tanh1" },
      { kind: "linear", name: "fc2", outFeatures: 3 },
    ],
  },
  "own",
);

for (const { name, create } of engines) {
  test(`${name}: gradients agree, in the order of the network, with dropout`, async () => {
    const engine = await create();
    try {
      for (const each of [network, tinyNetwork]) {
        const result = await compareGradients(engine, each, { checks: 6 });
        // Rounding of f32 in chains of a few layers; a wrong formula is off by a tenth and more.
        assert.ok(result.relativeDifference < 1e-4, JSON.stringify(result, null, 1));
      }
      const { parameters } = await compareGradients(engine, network, { checks: 6 });
      assert.deepEqual(
        parameters.map(({ parameter, elements, checked }) => [parameter, elements, checked]),
        [
          ["conv1.weight", 36, 6],
          ["conv1.bias", 4, 4],
          ["fc1.weight", 384, 6],
          ["fc1.bias", 6, 6],
          ["fc2.weight", 18, 6],
          ["fc2.bias", 3, 3],
        ],
      );
    } finally {
      engine.close();
    }
  });
}

test("a fault in one parameter's gradient is found in it alone, with the element", async () => {
  const engine = createReferenceEngine();
  /** An engine whose gradient of fc1.weight is wrong in one way. */
  const faulty = (wrong: (values: Float32Array) => void): Engine => ({
    ...engine,
    async compileTraining(request) {
      const program = await engine.compileTraining(request);
      const gradient = program.parameters.find((parameter) => parameter.name === "fc1.weight")?.gradient;
      const read = program.read.bind(program);
      return Object.defineProperty(program, "read", {
        async value(tensor: Tensor) {
          const values = await read(tensor);
          if (tensor === gradient) wrong(values);
          return values;
        },
      });
    },
  });
  const faults: readonly ((values: Float32Array) => void)[] = [
    (values) => values.set(values.map((value) => 2 * value)),
    (values) => values.set(values.map((value) => -value)),
    (values) => values.reverse(),
    (values) => values.fill(Number.NaN),
    (values) => values.fill(Number.NaN, -1),
  ];
  for (const fault of faults) {
    const { parameters, relativeDifference } = await compareGradients(faulty(fault), network, { checks: 6 });
    for (const { parameter, relativeDifference: own } of parameters) {
      assert.equal(own < 1e-4, parameter !== "fc1.weight", `${parameter}: ${own}`);
    }
    assert.ok(!(relativeDifference < 0.1), String(relativeDifference));
  }
  engine.close();
});
