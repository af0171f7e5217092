/** The WebGPU engine itself: its kernels compile, what they move is counted, training agrees with the reference, failures are errors. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { TrainableParameter } from "../src/engine/engine.ts";
import type { GpuAdapter, GpuLimits, WebGpu } from "../src/engine/webgpu/api.ts";
import { planChain } from "../src/engine/webgpu/chain.ts";
import { openDevice } from "../src/engine/webgpu/device.ts";
import { splitOperands } from "../src/engine/webgpu/kernels/bindings.ts";
import { elementwise } from "../src/engine/webgpu/kernels/wgsl.ts";
import { countWork } from "../src/engine/webgpu/plannedWork.ts";
import { createWebGpuEngine } from "../src/engine/webgpu/webgpu.ts";
import { conv2d, flatten, linear, maxPool2d, relu } from "../src/layers/kinds.ts";
import { networks } from "../src/network/alexnet.ts";
import { type Network, operations } from "../src/network/network.ts";
import { formatBenchmark, type TrainingFigures } from "../src/report/tables/benchmarkReport.ts";
import { type TrainOptions, trainClassifier } from "../src/trainer/trainClassifier.ts";
import { assertClose, assertCloseNorm } from "./assertClose.ts";
import { type Chain, compileTraining, fillParameters, noDraws, passThrough, uniform } from "./chains.ts";
import { dataOf, expectedOf } from "./conformance/compare.ts";
import { stacks } from "./conformance/stacks.ts";
import { engines } from "./engines.ts";
import { lastWeights, timelessLog, tinyNetwork, writeTinyDataset } from "./tinyRuns.ts";
import { trainWithoutReport } from "./trainWithoutReport.ts";
import { nullAdapter, sharingOneDevice, skippedWithoutAdapter, softwareAdapter } from "./webgpuAdapter.ts";

/** Workgroup memory of the standard's least adapter, and of most. */
const tiles = { isPlain: false, workgroupBytes: 16_384, bindingBytes: 2 ** 30 };
const plain = { ...tiles, isPlain: true };

const requestOf = (network: Network, batchSize = 128) =>
  ({ ops: operations(network), inputShape: network.input, batchSize, precision: "f32" }) as const;

function planOf(network: Network, batchSize = 128, limits = tiles, training = true) {
  return planChain(requestOf(network, batchSize), limits, training).plan.dispatches;
}

test("every kernel of every network compiles: in tiles and without, for training and inference, in a batch and alone", async () => {
  const device = await openDevice(nullAdapter());
  await device.scoped("kernels", async () => {
    for (const network of networks) {
      const plans = [planOf(network), planOf(network, 128, plain), planOf(network, 1, tiles, false)];
      await Promise.all(plans.flat().map(({ code }) => device.pipeline(code)));
    }
  });
  device.close();
});

test("the null device reports a kernel with a mistake", async () => {
  const device = await openDevice(nullAdapter());
  const kernel = planOf(tinyNetwork, 2).find(({ work }) => work === "pooling");
  assert.ok(kernel);
  const code = kernel.code.replace("ys[i] = ", "ys[i] = 1u + ");
  await assert.rejects(
    device.scoped("kernels", () => device.pipeline(code)),
    /^NativeError: kernels: .*(?:u32|f32)/s,
  );
  device.close();
});

test("of two compilations at once, the one whose memory is refused reports it", async () => {
  const device = await openDevice(nullAdapter());
  const [first, second] = await Promise.allSettled([
    device.scoped("first", () => device.storage(16)),
    device.scoped("second", () => device.storage(2 ** 44)),
  ]);
  assert.equal(first.status, "fulfilled");
  assert.ok(second.status === "rejected");
  assert.match(String(second.reason), /^NativeError: second: /);
  device.close();
});

describe("counts for a step of alexnet-owt, 128 images", () => {
  const network = networks.find(({ name }) => name === "alexnet-owt") as Network;
  const work = countWork(requestOf(network));

  test("at most 80 kernels run, and at most 80 are compiled", () => {
    assert.ok(work.kernels <= 80 && work.pipelines <= 80, `${work.kernels}, ${work.pipelines}`);
  });

  test("tiles waste at most 10 % of the arithmetic, in every network", () => {
    for (const each of networks) {
      const { tileWaste } = countWork(requestOf(each));
      assert.ok(tileWaste >= 0 && tileWaste <= 0.1, `${each.name}: ${tileWaste}`);
    }
  });

  test("every product has work for a large adapter: at least 256 workgroups", () => {
    for (const { layer, direction, workgroups, macs } of planOf(network)) {
      if (macs > 0) assert.ok(workgroups(128) >= 256, `${layer} ${direction}: ${workgroups(128)}`);
    }
  });

  test("bytes are at most 1.35 × those that every implementation moves", () => {
    assert.ok(work.bytes <= 1.35 * work.leastBytes, `${work.bytes} of ${work.leastBytes}`);
  });

  test("bench prints them", () => {
    const figures = { network: "alexnet-owt", precision: "f32", inference: [], layers: [], planned: work } as const;
    const reduced = { batchSize: 2, steps: 1 };
    const report = {
      ...{ machine: { alexnet: "", node: "", system: "", cpu: "" }, threads: 0, batchSize: 128, optimizer: "" },
      ...{ engine: { name: "webgpu", version: "", description: "" }, exact: false, rounds: 1, ceilings: [] },
    };
    // Wrapped at 80 columns.
    const text = formatBenchmark({ ...report, networks: [{ ...figures, training, reduced }] });
    assert.match(text, /alexnet-owt, f32: measured with batch 2 and one step; a larger batch takes too\nlong/);
    assert.match(text, /kernels +63 run, 47 compiled\n.*bytes +\S+ \S+, 1\.15 × the least\n.*tile waste +1/s);
  });
});

/** Figures of a step, all 1. */
const training = Object.fromEntries(
  [
    "imagesPerSecond",
    "stepSeconds",
    "flopsPerSecond",
    "shareOfCeiling",
    "shareOfFloor",
    "primitiveShare",
    "reorderShare",
  ]
    .concat("outsideShare", "peakMemoryBytes")
    .map((key) => [key, { median: 1, min: 1, max: 1 }]),
) as unknown as TrainingFigures;

describe("on a software adapter", { skip: skippedWithoutAdapter() }, () => {
  let folder: string;
  before(async () => {
    softwareAdapter();
    folder = await mkdtemp(join(tmpdir(), "alexnet-webgpu-"));
    await writeTinyDataset(folder, { train: 320, test: 16 });
  });
  after(() => rm(folder, { recursive: true }));

  const trainTiny = async (name: string, options: TrainOptions): Promise<string> => {
    const run = join(folder, name);
    const given = { network: tinyNetwork, batchSize: 16, epochs: 1, optimizer: "sgd", dataDir: folder } as const;
    await trainWithoutReport({ ...given, run, ...options });
    return run;
  };

  test("20 steps have losses within 1e-5 of the reference engine's", async () => {
    const [reference, webgpu] = await Promise.all([
      trainTiny("reference", { engine: "reference" }),
      trainTiny("webgpu", { engine: "webgpu" }),
    ]);
    const losses = async (run: string) =>
      (await timelessLog(run)).flatMap((entry) => Object.entries(entry).filter(([key]) => /loss/i.test(key)));
    const [expected, actual] = [await losses(reference), await losses(webgpu)];
    assert.ok(expected.length >= 2);
    assert.deepEqual(
      actual.map(([key]) => key),
      expected.map(([key]) => key),
    );
    const values = (all: typeof actual) => all.map(([, value]) => Number(value));
    assertClose(values(actual), values(expected), { relative: 1e-5 }, "losses");
    const { engine } = JSON.parse(await readFile(join(webgpu, "config.json"), "utf8"));
    assert.equal(engine.name, "webgpu");
    assert.match(engine.description, /SwiftShader.*a software adapter/);
  });

  test("a run that is stopped and resumed has the weights of one that is not, to the bit; another engine is refused", async () => {
    const whole = await trainTiny("whole", { engine: "webgpu", epochs: 2 });
    await trainTiny("halves", { engine: "webgpu" });
    const run = join(folder, "halves");
    await assert.rejects(
      trainClassifier({ run, resume: true, epochs: 2, engine: "reference" }),
      /engine.*webgpu|webgpu.*engine/,
    );
    await trainWithoutReport({ run, resume: true, epochs: 2 });
    assert.deepEqual(await lastWeights(run), await lastWeights(whole));
  });

  test("products through workgroup memory, whose tiles divide the extents and do not", async () => {
    const gpu = sharingOneDevice(softwareAdapter());
    const webgpu = engines.find(({ name }) => name === "webgpu");
    assert.ok(webgpu);
    const { input, layers } = stacks["conv → relu → norm → pool → conv → relu → linear"] as Omit<Chain, "batchSize">;
    const chain = { input, layers, batchSize: 3 };
    const engine = await createWebGpuEngine(gpu, { products: "tiles" });
    const program = await compileTraining(engine, webgpu.settings, chain);
    await fillParameters(program);
    const { images, outputGradient } = dataOf(chain, program.outputShape);
    for (const [key, values] of await passThrough(program, images, outputGradient)) {
      assertCloseNorm(values, expectedOf(webgpu, chain).get(key) ?? [], 3e-6, key);
    }
    engine.close();
  });

  test("a program that is closed after an update leaves the device to others", async () => {
    const { engine } = await withDevice(softwareAdapter());
    const settings = { precision: "f32", exact: true } as const;
    const [program, other] = [
      await compileTraining(engine, settings, small),
      await compileTraining(engine, settings, small),
    ];
    const [{ value, gradient }] = program.parameters as typeof program.parameters & [TrainableParameter];
    const update = program.compileUpdate([{ target: value, from: value, operations: [["add", gradient]] }]);
    await program.forwardBackward(program.input, new Float32Array(3), 1, noDraws);
    update.run();
    program.close();
    // Its memory is freed after the call.
    await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 2; i++) await other.forward(other.input, 1, noDraws);
    engine.close();
  });

  test("a lost device is an error of every later call, with a remedy", async () => {
    const { engine, device } = await withDevice(softwareAdapter());
    const program = await compileTraining(engine, { precision: "f32", exact: true }, small);
    device().destroy();
    await assert.rejects(program.forward(program.input, 1, noDraws), {
      name: "NativeError",
      message: /^engine webgpu: .*SwiftShader.*: device lost \(.*\); .* --resume$/,
    });
    await assert.rejects(program.forwardTraining(program.input, 1, noDraws), { name: "NativeError" });
    engine.close();
  });
});

const small: Chain = { input: [4, 1, 1], layers: [flatten("flatten"), linear("fc", { outFeatures: 3 })], batchSize: 1 };

/** An engine, and the device that it opens. */
async function withDevice(gpu: WebGpu) {
  const opened: Awaited<ReturnType<GpuAdapter["requestDevice"]>>[] = [];
  const engine = await createWebGpuEngine(
    changed(gpu, (adapter) => ({
      info: adapter.info,
      limits: adapter.limits,
      async requestDevice(options) {
        const device = await adapter.requestDevice(options);
        opened.push(device);
        return device;
      },
    })),
  );
  return { engine, device: () => opened[0] as (typeof opened)[number] };
}

function changed(gpu: WebGpu, change: (adapter: GpuAdapter) => GpuAdapter): WebGpu {
  return {
    async requestAdapter() {
      const adapter = await gpu.requestAdapter();
      return adapter && change(adapter);
    },
  };
}

/** An adapter and device that report other limits than they have. */
function limited(gpu: WebGpu, own: Partial<GpuLimits>): WebGpu {
  return changed(gpu, (adapter) => {
    const limits = { ...limitsOf(adapter), ...own };
    return {
      info: adapter.info,
      limits,
      async requestDevice() {
        const device = await adapter.requestDevice({ requiredLimits: limitsOf(adapter) });
        return new Proxy(device, {
          get(target, key) {
            const value = key === "limits" ? limits : Reflect.get(target, key, target);
            return typeof value === "function" ? value.bind(target) : value;
          },
          set: (target, key, value) => Reflect.set(target, key, value, target),
        });
      },
    };
  });
}

function limitsOf({ limits }: GpuAdapter) {
  return {
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
    maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
  };
}

const exactF32 = { precision: "f32", exact: true } as const;

describe("an adapter with the standard's least limits", () => {
  const least = limited(nullAdapter(), {
    maxBufferSize: 2 ** 28,
    maxStorageBufferBindingSize: 2 ** 27,
    maxComputeWorkgroupStorageSize: 2 ** 14,
    maxStorageBuffersPerShaderStage: 8,
  });
  const leastPlan = { ...tiles, bindingBytes: 2 ** 27 };
  const named = (name: string) => networks.find((network) => network.name === name) as Network;

  test("runs every kernel of a step of alexnet-owt and alexnet, whose weights of fc6 take two bindings", async () => {
    const device = await openDevice(least);
    for (const plan of [planOf(named("alexnet-owt"), 128, leastPlan), planOf(named("alexnet"), 64, leastPlan)]) {
      await device.scoped("kernels", () => Promise.all(plan.map(({ code }) => device.pipeline(code))));
      for (const { layer, bindings } of plan) {
        assert.ok(bindings.length <= 8, `${layer}: ${bindings.length} bindings`);
        for (const { buffer, offset, size } of bindings) {
          assert.ok(size <= 2 ** 27 && offset % 256 === 0 && buffer.bytes <= 2 ** 28, `${layer}: ${offset}, ${size}`);
        }
      }
      assert.ok(plan.some(({ layer, bindings }) => layer === "fc6" && bindings.some(({ offset }) => offset > 0)));
    }
    device.close();
  });

  test("refuses a batch whose activations exceed its bindings or its memory, by the layer", async () => {
    const engine = await createWebGpuEngine(least, { products: "tiles" });
    const refused = (chain: Chain, message: string) =>
      assert.rejects(compileTraining(engine, exactF32, chain), { name: "ShapeError", message });
    const { input, layers } = named("alexnet");
    const limits =
      "above the adapter's 8 bindings of 128 MiB or buffers of 256 MiB; use a smaller --batch-size, or another engine";
    await refused({ input, layers, batchSize: 128 }, `norm1: a tensor has 142 MiB, ${limits}`);
    const wide = [flatten("flatten"), linear("fc6", { outFeatures: 4096 })];
    await refused({ input: [1024, 1, 1], layers: wide, batchSize: 20_000 }, `fc6: a tensor has 313 MiB, ${limits}`);
    engine.close();
  });
});

test("an operand in several bindings is read and written through functions, also inside of an index or a value", async () => {
  const operands = [
    { name: "xs", access: "read", element: "u32" },
    { name: "ys", access: "write" },
  ] as const;
  const body = "ys[xs[i]] = ys[i] * f32(xs[i + 1]);";
  const code = splitOperands(elementwise(operands, { count: "step.images", body }), [1024, 600], 256);
  assert.match(code, /set_ys\(get_xs\(i\), get_ys\(i\) \* f32\(get_xs\(i \+ 1\)\)\);/);
  assert.equal([...code.matchAll(/@binding\((\d+)\)/g)].map(([, number]) => number).join(), "0,1,2,3,4,5,6,7");
  const device = await openDevice(nullAdapter());
  await device.scoped("kernel", () => device.pipeline(code));
  device.close();
});

test("tensors in several bindings have the results of those in one, to the bit", {
  skip: skippedWithoutAdapter(),
}, async () => {
  const layers = [
    conv2d("conv1", { outChannels: 8, kernelSize: 3 }),
    relu("relu1"),
    maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
    flatten("flatten"),
    linear("fc2", { outFeatures: 6 }),
  ];
  const chain: Chain = { input: [3, 8, 8], layers, batchSize: 2 };
  const stepOn = async (gpu: WebGpu) => {
    const engine = await createWebGpuEngine(gpu);
    const program = await compileTraining(engine, exactF32, chain);
    await fillParameters(program);
    const { images, outputGradient } = dataOf(chain, program.outputShape);
    const results = new Map(await passThrough(program, images, outputGradient));
    const { value, gradient } = program.parameters.find(({ name }) => name === "fc2.weight") as TrainableParameter;
    program.compileUpdate([{ target: value, from: value, operations: [["add", gradient]] }]).run();
    results.set("updated", await program.read(value));
    const squares = await program.sumOfSquares([value, gradient]);
    await program.write(value, results.get("updated")?.with(-1, Number.NaN) as Float32Array);
    assert.equal(await program.firstNonFinite("values"), "fc2.weight");
    engine.close();
    return { results, squares };
  };
  const whole = await stepOn(softwareAdapter());
  // Weights of fc2 have 1728 bytes: two bindings of 1024.
  const parts = await stepOn(limited(softwareAdapter(), { maxStorageBufferBindingSize: 1024 }));
  assert.deepEqual(parts.results, whole.results);
  // Each binding is added in pieces of its own.
  assertClose([parts.squares], [whole.squares], { relative: 1e-6 }, "squares");
});

test("no adapter is an error with a remedy", async () => {
  await assert.rejects(createWebGpuEngine({ requestAdapter: async () => null }), {
    name: "NativeError",
    message: /^engine webgpu: no graphics adapter; install its driver .*, or use --engine onednn or wasm$/,
  });
});

test("images are copied before a call returns, from memory that threads share too", {
  skip: skippedWithoutAdapter(),
}, async () => {
  const engine = await createWebGpuEngine(sharingOneDevice(softwareAdapter()));
  const program = await compileTraining(engine, { precision: "f32", exact: true }, small);
  await fillParameters(program);
  const images = uniform("images", 4);
  const expected = await program.forward(images, 1, noDraws);
  const input = await program.nextInput();
  assert.ok(input.buffer instanceof SharedArrayBuffer);
  input.set(images);
  const output = program.forward(input, 1, noDraws);
  input.fill(Number.NaN);
  assert.deepEqual(await output, expected);
  engine.close();
});
