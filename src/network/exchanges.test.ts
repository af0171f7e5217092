/** Bytes of a training step between processes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { findNetwork } from "./alexnet.ts";
import { stepExchanges } from "./exchanges.ts";

const alexnet = findNetwork("alexnet");
const step = (processes: number, parallel: "data" | "towers" | "hybrid", batchSize = 128) =>
  stepExchanges(alexnet, { processes, parallel, batchSize });

test("bytes of the paper's network, by the formulas of docs/distributed.md", () => {
  for (const [P, N] of [
    [2, 128],
    [4, 128],
    [8, 1024],
  ] as const) {
    const f = (P - 1) / P;
    // 60,965,224 parameters; 2,334,080 of them in convolutions.
    assert.equal(step(P, "data", N).totalBytes, Math.round(f * (2 * 4 * 60_965_224 + 4 * 1000 * N)));
    const linear = 9216 + 4096 + 4096;
    const hybrid = f * (2 * 4 * 2_334_080 + 4 * N * (linear + 1000 + linear));
    assert.ok(Math.abs(step(P, "hybrid", N).totalBytes - hybrid) < 20);
  }
  const across = 256 * 13 * 13 + 9216 + 4096 + 4096;
  assert.equal(step(2, "towers").totalBytes, (4 * 128 * (across + 1000 + across)) / 2);
});

test("layers, their parts and what they exchange", () => {
  const { layers, parameters } = step(2, "towers");
  assert.equal(parameters, 60_965_224 / 2);
  assert.deepEqual(
    layers.find(({ name }) => name === "conv3"),
    {
      name: "conv3",
      part: { of: "outputs", count: 192, all: 384 },
      activationBytes: 2 * 128 * 256 * 13 * 13,
      gradientBytes: 2 * 128 * 256 * 13 * 13,
      parameterBytes: 0,
    },
  );
  const hybrid = step(4, "hybrid").layers;
  assert.deepEqual(hybrid.find(({ name }) => name === "conv2")?.part, { of: "images", count: 32, all: 128 });
  assert.deepEqual(hybrid.find(({ name }) => name === "fc7")?.part, { of: "outputs", count: 1024, all: 4096 });
  assert.equal(step(1, "data").totalBytes, 0);
});

test("a batch that the processes do not divide is refused as in training, where it is divided", () => {
  assert.throws(() => step(3, "data"), /^ShapeError: batch size 128: expected a multiple of 3, .*; use 126 or 129$/);
  assert.throws(() => step(4, "hybrid", 3), /^ShapeError: batch size 3: expected a multiple of 4, .*; use 4$/);
  assert.equal(step(2, "towers", 15).layers.at(-1)?.activationBytes, (4 * 15 * 1000) / 2);
});
