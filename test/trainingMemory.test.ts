/** The memory that `summary` says training needs is what oneDNN's programs map. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { networks } from "../src/network/alexnet.ts";
import { operations } from "../src/network/network.ts";
import { summarize } from "../src/network/summary.ts";

const batchSize = 128;

for (const network of networks) {
  test(`${network.name}: parameters, gradients and activations at a batch of ${batchSize}`, async () => {
    const engine = createOneDnnEngine();
    try {
      const { ops, inputShape } = { ops: operations(network), inputShape: network.input };
      // Direct convolution takes next to no memory to compute with, Winograd's as much as the activations.
      const request = { ops, inputShape, batchSize, precision: "f32", exact: true } as const;
      const program = await engine.compileTraining(request);
      const { memory } = program;
      program.close();
      const said = summarize(network, { batchSize }).trainingMemory;
      // Layouts fill channels up to a multiple of 16, and each tensor begins on a page of its own.
      for (const key of ["parameters", "gradients"] as const) assertBetween(memory[key] / said[key], 1, 1.005, key);
      // On top come scratch space and what does not fit into gaps: 0.2 to 18 % here.
      assertBetween(memory.activations / said.activations, 1, 1.2, "activations");
    } finally {
      engine.close();
    }
  });
}

function assertBetween(ratio: number, low: number, high: number, what: string): void {
  assert.ok(ratio >= low && ratio <= high, `${what}: mapped ${ratio} times what is said`);
}
