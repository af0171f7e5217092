import assert from "node:assert/strict";
import { test } from "node:test";
import { conv2d, flatten, linear } from "../layers/kinds.ts";
import { initializerSchema, initialValues } from "./initialize.ts";
import type { Network } from "./network.ts";

const network: Network = {
  name: "two layers",
  source: "",
  deviations: [],
  input: [3, 24, 24],
  layers: [
    conv2d("conv1", { outChannels: 64, kernelSize: 5 }),
    flatten("flatten"),
    linear("constructor", { outFeatures: 3 }),
  ],
};

test("single layers have a distribution of their own, the others that of `weight`", () => {
  const weight = { kind: "gaussian", deviation: 0.01 } as const;
  const valuesOf = (layers?: object) => {
    const initializer = initializerSchema.parse({ weight, ...(layers ? { layers } : {}) });
    return new Map([...initialValues(network, initializer, 0)].map(({ name, values }) => [name, values]));
  };
  const [plain, own] = [valuesOf(), valuesOf({ conv1: { ...weight, deviation: 0.0001 }, absent: weight })];
  const values = own.get("conv1.weight") ?? new Float32Array();
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
  // The deviation of a sample of 4,800 has a standard error of 1 %.
  assert.ok(Math.abs(deviation / 0.0001 - 1) < 0.05, String(deviation));
  assert.deepEqual(own.get("constructor.weight"), plain.get("constructor.weight"));
  assert.deepEqual(own.get("conv1.bias"), new Float32Array(64));
});
