import assert from "node:assert/strict";
import { test } from "node:test";
import { type BenchmarkReport, mergeReports, spread } from "./benchmarkFigures.ts";

test("a spread is the median, the least and the greatest, in whatever order they came", () => {
  assert.deepEqual(spread([7]), { median: 7, min: 7, max: 7 });
  assert.deepEqual(spread([10, 9, 100]), { median: 10, min: 9, max: 100 });
  assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
});

/** A report of one case in one round, in which every figure is told from the number given. */
function report(network: string, precision: "f32" | "bf16", x: number): BenchmarkReport {
  const [one, ten] = [spread([x]), spread([10 * x])];
  return {
    machine: { alexnet: "0", node: "20", system: "linux", cpu: "a" },
    engine: { name: "e", version: "1", description: "e 1" },
    threads: 2,
    batchSize: 8,
    optimizer: "SGD",
    exact: false,
    rounds: 1,
    ceilings: [{ precision, flopsPerSecond: ten, operations: [{ operation: "o", flopsPerSecond: one }] }],
    networks: [
      {
        network,
        precision,
        training: {
          imagesPerSecond: one,
          stepSeconds: ten,
          flopsPerSecond: one,
          shareOfCeiling: one,
          primitiveShare: one,
          reorderShare: one,
          outsideShare: one,
          peakMemoryBytes: one,
        },
        inference: [
          { batchSize: 1, imagesPerSecond: one },
          { batchSize: 8, imagesPerSecond: ten },
        ],
        layers: [
          {
            layer: "fc1",
            direction: "forward",
            implementations: ["linear jit"],
            seconds: one,
            reorderSeconds: ten,
            flopsPerSecond: one,
          },
        ],
      },
    ],
  };
}

test("rounds of several cases become one report: each figure its case's spread, each ceiling that of all cases of its precision", () => {
  const round = (a: number, b: number, c: number) => [
    report("same", "f32", a),
    report("same", "f32", b), // another file, the same name
    report("same", "bf16", c),
  ];
  const merged = mergeReports([round(1, 50, 7), round(3, 70, 9), round(2, 60, 8)]);
  const { networks, ceilings, ...rest } = merged;
  const { networks: _, ceilings: __, ...expected } = { ...report("", "f32", 0), rounds: 3 };
  assert.deepEqual(rest, expected);
  const spreads = [
    { median: 2, min: 1, max: 3 },
    { median: 60, min: 50, max: 70 },
    { median: 8, min: 7, max: 9 },
  ];
  assert.deepEqual(
    networks.map(({ training }) => training.imagesPerSecond),
    spreads,
  );
  assert.deepEqual(networks[0]?.training.stepSeconds, { median: 20, min: 10, max: 30 });
  assert.deepEqual(networks[1]?.inference, [
    { batchSize: 1, imagesPerSecond: spreads[1] },
    { batchSize: 8, imagesPerSecond: { median: 600, min: 500, max: 700 } },
  ]);
  assert.deepEqual(networks[2]?.layers, [
    {
      layer: "fc1",
      direction: "forward",
      implementations: ["linear jit"],
      seconds: spreads[2],
      reorderSeconds: { median: 80, min: 70, max: 90 },
      flopsPerSecond: spreads[2],
    },
  ]);
  assert.deepEqual(
    ceilings.map(({ precision, flopsPerSecond }) => [precision, flopsPerSecond]),
    [
      ["f32", { median: 265, min: 10, max: 700 }],
      ["bf16", { median: 80, min: 70, max: 90 }],
    ],
  );
});

test("one round is itself; none is an error", () => {
  const only = report("a", "f32", 1);
  assert.deepEqual(mergeReports([[only]]), only);
  assert.throws(() => mergeReports([]), /nothing was measured/);
});
