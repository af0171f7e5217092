/** Choice of the engine of a new run, with adapters of the test: SwiftShader as it is, and declared as hardware. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { selectEngine } from "../src/engine/select/selectEngine.ts";
import { compareTrials, selectTrainingEngine, type TrainedNetwork } from "../src/engine/select/trainingEngine.ts";
import type { WebGpu } from "../src/engine/webgpu/api.ts";
import { NativeError } from "../src/errors.ts";
import { flatten, linear } from "../src/layers/kinds.ts";
import { type Chain, opsOf } from "./chains.ts";
import { nullAdapter, skippedWithoutAdapter, softwareAdapter } from "./webgpuAdapter.ts";

const chain: Chain = { input: [4, 1, 1], layers: [flatten("flatten"), linear("fc", { outFeatures: 3 })], batchSize: 2 };
const run: TrainedNetwork = {
  ops: opsOf(chain),
  inputShape: chain.input,
  batchSize: chain.batchSize,
  exact: true,
  precision: "f32",
  threads: 1,
  processes: 1,
};

/** The adapter under another name. */
function declaredHardware(gpu: WebGpu): WebGpu {
  return {
    async requestAdapter() {
      const adapter = await gpu.requestAdapter();
      if (!adapter) return null;
      const info = { vendor: "test", architecture: "", device: "", description: "Test GPU" };
      return { info, limits: adapter.limits, requestDevice: (options) => adapter.requestDevice(options) };
    },
  };
}

const hardware = async () => declaredHardware(softwareAdapter());
const missing = async () => {
  throw new NativeError("engine webgpu: not here");
};

test("with oneDNN and a hardware adapter, each trains for a second, and the choice is said", {
  skip: skippedWithoutAdapter(),
}, async () => {
  const { engine, warning } = await selectTrainingEngine("auto", run, hardware);
  // Whichever is faster on this machine.
  const rate = String.raw`: [\d.e+]+ images/s`;
  const [first, second] = engine.name === "onednn" ? ["oneDNN .*", "WebGPU .*Test GPU.*"] : ["WebGPU .*", "oneDNN .*"];
  assert.match(warning ?? "", new RegExp(`^engine: ${first}${rate} in a trial of 1 s; ${second}${rate}$`));
  const [last] = (warning ?? "").matchAll(/([\d.e+]+) images\/s.* ([\d.e+]+) images\/s$/g);
  assert.ok(Number(last?.[1]) >= Number(last?.[2]), warning);
  engine.close();
});

test("the faster of two engines, the first if they are equally fast", () => {
  const [a, b] = [createReferenceEngine(), createReferenceEngine()];
  for (const [rates, expected] of [
    [[10, 20], b],
    [[20, 10], a],
    [[10, 10], a],
  ] as const) {
    const trial = (engine: typeof a, i: 0 | 1) => ({ engine, imagesPerSecond: rates[i] });
    const { faster, slower } = compareTrials([trial(a, 0), trial(b, 1)]);
    assert.equal(faster, expected);
    assert.notEqual(slower, expected);
  }
});

test("no trial in bf16, in several processes, without an adapter, with a software adapter, or one that fails", {
  skip: skippedWithoutAdapter(),
}, async () => {
  const cases = [
    { given: { ...run, processes: 2 }, open: hardware },
    { given: { ...run, precision: "bf16" }, open: hardware },
    { given: run, open: missing },
    { given: run, open: async () => softwareAdapter() },
  ] as const;
  for (const { given, open } of cases) {
    const { engine, warning } = await selectTrainingEngine("auto", given, open);
    assert.deepEqual([engine.name, warning], ["onednn", undefined]);
    engine.close();
  }
  // A tensor that the null device refuses: the message of its failure, and oneDNN.
  const large: Chain = {
    ...chain,
    input: [16_384, 1, 1],
    layers: [chain.layers[0], linear("fc", { outFeatures: 8192 })] as Chain["layers"],
  };
  const given = { ...run, ops: opsOf(large), inputShape: large.input, batchSize: 1 };
  const { engine, warning } = await selectTrainingEngine("auto", given, async () => declaredHardware(nullAdapter()));
  assert.match(warning ?? "", /fc: a tensor has 512 MiB, .*\. Using oneDNN/);
  assert.equal(engine.name, "onednn");
  engine.close();
});

test("without oneDNN the hardware adapter, never a software adapter", { skip: skippedWithoutAdapter() }, async () => {
  const before = process.env["ALEXNET_ONEDNN"];
  process.env["ALEXNET_ONEDNN"] = "/nowhere/libdnnl.so";
  try {
    for (const [open, expected] of [
      [hardware, "webgpu"],
      [async () => softwareAdapter(), "wasm"],
      [missing, "wasm"],
    ] as const) {
      for (const { engine, warning } of [
        await selectTrainingEngine("auto", run, open),
        await selectEngine("auto", 1, open),
      ]) {
        assert.equal(engine.name, expected);
        assert.match(warning ?? "", /oneDNN.*Using /);
        engine.close();
      }
    }
  } finally {
    if (before === undefined) delete process.env["ALEXNET_ONEDNN"];
    else process.env["ALEXNET_ONEDNN"] = before;
  }
});
