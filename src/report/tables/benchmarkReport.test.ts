import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BenchmarkReport,
  formatBenchmark,
  type LayerFigures,
  mergeReports,
  type NetworkFigures,
} from "./benchmarkReport.ts";
import { type Spread, spread } from "./spread.ts";

test("a spread is the median, the least and the greatest, in whatever order they came", () => {
  assert.deepEqual(spread([7]), { median: 7, min: 7, max: 7 });
  assert.deepEqual(spread([10, 9, 100]), { median: 10, min: 9, max: 100 });
  assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
});

/** A report of one case in one round; every figure is derived from the given number. */
function reportOf(network: string, precision: "f32" | "bf16", x: number): BenchmarkReport {
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
          shareOfFloor: one,
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
    reportOf("same", "f32", a),
    reportOf("same", "f32", b), // another file, the same name
    reportOf("same", "bf16", c),
  ];
  const merged = mergeReports([round(1, 50, 7), round(3, 70, 9), round(2, 60, 8)]);
  const { networks, ceilings, ...rest } = merged;
  const { networks: _, ceilings: __, ...expected } = { ...reportOf("", "f32", 0), rounds: 3 };
  assert.deepEqual(rest, expected);
  const spreads = [
    { median: 2, min: 1, max: 3 },
    { median: 60, min: 50, max: 70 },
    { median: 8, min: 7, max: 9 },
  ];
  assert.deepEqual(
    networks.map(({ training }) => training?.imagesPerSecond),
    spreads,
  );
  assert.deepEqual(networks[0]?.training?.stepSeconds, { median: 20, min: 10, max: 30 });
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
  const only = reportOf("a", "f32", 1);
  assert.deepEqual(mergeReports([[only]]), only);
  assert.throws(() => mergeReports([]), /nothing was measured/);
});

function near(median: number): Spread {
  return { median, min: 0.9 * median, max: 1.1 * median };
}

function layer(name: string, direction: LayerFigures["direction"], seconds: number, rate?: number): LayerFigures {
  return {
    layer: name,
    direction,
    ...(name === "conv1" ? { algorithm: "dft" } : {}),
    implementations: [],
    seconds: near(seconds),
    reorderSeconds: near(seconds / 100),
    ...(rate === undefined ? {} : { flopsPerSecond: near(rate) }),
  };
}

function figures(network: string, precision: "f32" | "bf16"): NetworkFigures {
  return {
    network,
    precision,
    training: {
      imagesPerSecond: near(1234),
      stepSeconds: near(1.9345),
      flopsPerSecond: near(612.3e9),
      shareOfCeiling: near(1.073),
      shareOfFloor: near(0.637),
      primitiveShare: near(0.951),
      reorderShare: near(0.021),
      outsideShare: near(0.028),
      peakMemoryBytes: near(1.284e9),
    },
    inference: [
      { batchSize: 1, imagesPerSecond: near(51.3) },
      { batchSize: 128, imagesPerSecond: near(1421) },
    ],
    layers: [
      layer("conv1", "forward", 0.0785, 345.6e9),
      layer("relu1", "forward", 0.004),
      layer("conv1", "backwardWeights", 0.0862, 301.2e9),
      layer("conv1", "update", 0.001),
    ],
    work: [
      { work: "linear", seconds: near(0.1) },
      { work: "DFT product", seconds: near(1.5), flopsPerSecond: near(345.6e9) },
    ],
  };
}

const report: BenchmarkReport = {
  machine: {
    alexnet: "0.1.0",
    node: "20.20.2",
    system: "linux 6.1.0-18-amd64 x64",
    cpu: "A processor with a name that is longer than others",
  },
  engine: { name: "onednn", version: "2.6.3", description: "oneDNN 2.6.3 (AVX-512 BF16), 2 threads" },
  threads: 2,
  batchSize: 128,
  optimizer: "SGD",
  exact: false,
  rounds: 3,
  ceilings: [
    {
      precision: "bf16",
      flopsPerSecond: near(800e9),
      operations: [
        { operation: "linear 2048→2048, forward", flopsPerSecond: near(700e9) },
        { operation: "conv2d 96→256, 5×5, on 27×27, backward weights", flopsPerSecond: near(800e9) },
      ],
    },
  ],
  networks: [figures("alexnet-fashion", "f32"), figures("a-network-with-a-long-name-of-its-own", "bf16")],
};

test("every figure of a report in tables of 80 columns", () => {
  const text = formatBenchmark(report);
  for (const line of text.split("\n")) assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
  const says = [
    /^engine +oneDNN 2\.6\.3 \(AVX-512 BF16\), 2 threads$/m,
    /^figures +medians of 3 rounds/m,
    /^bf16 +800 +720–880 +conv2d 96→256, 5×5, on 27×27, backward weights$/m,
    /^alexnet-fashion +f32 +1,234 +1,111–1,357 +612 +107\.3 % +1\.28 GB$/m,
    /^alexnet-fashion +f32 +1934\.5 ms +95\.1 % +2\.1 % +2\.8 % +63\.7 %$/m,
    /^alexnet-fashion +f32 +51\.3 +46\.2–56\.4 +1,421 +1,279–1,563$/m,
    /^conv1, dft +78\.5 +346 +86\.2 +301 +1\.0 +1\.7$/m,
    /^relu1 +4\.0 +0\.0$/m,
    /^total +82\.5 +86\.2 +1\.0 +1\.7$/m,
    /^DFT product +1500\.0 +77\.5 % +346\nlinear +100\.0 +5\.2 %\noutside +334\.5 +17\.3 %$/m,
  ];
  for (const pattern of says) assert.match(text, pattern);
});

test("what was not asked for is not printed", () => {
  const [{ layers: _, work: __, ...plain }] = report.networks as [NetworkFigures];
  const text = formatBenchmark({ ...report, exact: true, rounds: 1, networks: [plain] });
  assert.doesNotMatch(text, /layer by layer/);
  assert.match(text, /^engine .*, direct convolution only$/m);
  assert.match(text, /^figures +of one round$/m);
});
