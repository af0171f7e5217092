import assert from "node:assert/strict";
import { test } from "node:test";
import type { Direction, KernelProfile } from "../engine/engine.ts";
import { conv2d, flatten, linear, relu } from "../layers/kinds.ts";
import type { Network } from "../network/network.ts";
import { directFlops, flopsOf, layerFigures, secondsOf, workFigures } from "./profile.ts";

/** conv1: 6×6 positions × 9 weights × 2 maps = 648 MACs; fc2: 72 × 5 = 360. */
const network: Network = {
  name: "small",
  source: "",
  deviations: [],
  input: [1, 8, 8],
  layers: [
    conv2d("conv1", { outChannels: 2, kernelSize: 3 }),
    relu("relu1"),
    flatten("flatten"),
    linear("fc2", { outFeatures: 5 }),
  ],
};

function work(layer: string, direction: Direction, name: string, seconds: number): KernelProfile {
  return { layer, direction, work: name, implementation: `${name}:x`, runs: 1, seconds };
}

const account = [
  work("conv1", "forward", "reorder", 0.25),
  work("conv1", "forward", "convolution", 0.5),
  work("conv1", "forward", "convolution", 0.5), // half of the maps each
  work("fc2", "forward", "linear", 2),
  work("loss", "forward", "loss", 0.125),
  work("fc2", "backwardData", "linear", 4),
  work("conv1", "backwardData", "activation", 0.0625),
  work("conv1", "backwardWeights", "convolution", 3),
  work("conv1", "backwardWeights", "reorder", 1),
  work("conv1.weight", "update", "sum", 0.5),
  work("conv1.bias", "update", "sum", 0.25),
];

test("a step's operations: those in the profile, else those of the direct algorithm", () => {
  const direct = 2 * 10 * (2 * 648 + 3 * 360);
  assert.equal(directFlops(network, 10), direct);
  assert.equal(flopsOf(network, 10, account), direct);
  const other = [
    { ...work("fc2", "forward", "DFT product", 1), flops: 500 },
    { ...work("fc2", "backwardData", "DFT product", 1), flops: 7 },
  ];
  assert.equal(flopsOf(network, 10, [...account, ...other]), 2 * 10 * 2 * 648 + 507);
});

test("each kind of work: its time in all layers, and the rate of what the engine counts", () => {
  const counted = [
    { ...work("conv1", "forward", "DFT product", 1), flops: 500 },
    { ...work("conv1", "backwardData", "DFT product", 3), flops: 7 },
  ];
  assert.deepEqual(
    workFigures([...account, ...counted]).map((row) => [row.work, row.seconds.median, row.flopsPerSecond?.median]),
    [
      ["reorder", 1.25, undefined],
      ["convolution", 4, undefined],
      ["linear", 6, undefined],
      ["loss", 0.125, undefined],
      ["activation", 0.0625, undefined],
      ["sum", 0.75, undefined],
      ["DFT product", 4, 126.75],
    ],
  );
});

test("time in primitives is separate from time in reorders", () => {
  assert.deepEqual(secondsOf(account), { primitives: 10.9375, reorders: 1.25 });
});

test("each layer and direction: time, reorders separately, and the rate of its own multiplications", () => {
  const rows = layerFigures(network, 10, account);
  assert.deepEqual(
    rows.map((row) => [row.layer, row.direction, row.seconds.median, row.reorderSeconds.median]),
    [
      ["conv1", "forward", 1, 0.25],
      ["fc2", "forward", 2, 0],
      ["loss", "forward", 0.125, 0],
      ["fc2", "backwardData", 4, 0],
      ["conv1", "backwardData", 0.0625, 0],
      ["conv1", "backwardWeights", 3, 1],
      ["conv1", "update", 0.75, 0],
    ],
  );
  assert.deepEqual(
    rows.map(({ flopsPerSecond }) => flopsPerSecond?.median),
    [12960, 3600, undefined, 1800, undefined, 4320, undefined],
  );
  assert.deepEqual(rows[0]?.implementations, ["reorder reorder:x", "convolution convolution:x"]);
});
