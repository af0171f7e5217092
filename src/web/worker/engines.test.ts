import assert from "node:assert/strict";
import { test } from "node:test";
import { nullAdapter } from "../../../test/webgpuAdapter.ts";
import type { GpuAdapter, WebGpu } from "../../engine/webgpu/api.ts";
import { DataError, NativeError, ShapeError, UnimplementedError } from "../../errors.ts";
import { createEngines } from "./engines.ts";

const hardware = { vendor: "maker", architecture: "gpu", device: "", description: "" };
const software = { ...hardware, isFallbackAdapter: true };

/** Adapters with the given names, whose devices compute nothing; and the number of devices that were opened. */
function adapters(info: GpuAdapter["info"], requestDevice?: GpuAdapter["requestDevice"]) {
  const source = nullAdapter();
  let devices = 0;
  const gpu: WebGpu = {
    async requestAdapter() {
      const adapter = await source.requestAdapter();
      return (
        adapter && {
          info,
          limits: adapter.limits,
          requestDevice(options) {
            devices++;
            return requestDevice?.(options) ?? adapter.requestDevice(options);
          },
        }
      );
    },
  };
  return { gpu, devices: () => devices };
}

const nameOf = async ({ name }: { readonly name: string }) => name;

test("automatic is a hardware adapter and never a software one, which the reader can choose", async () => {
  for (const [info, computation, name, isSoftware] of [
    [hardware, "auto", "webgpu", false],
    [hardware, "webgpu", "webgpu", false],
    [hardware, "wasm", "wasm", false],
    [software, "auto", "wasm", false],
    [software, "webgpu", "webgpu", true],
  ] as const) {
    const engines = createEngines({ threads: 1, gpu: adapters(info).gpu });
    const { value, use } = await engines.make(computation, nameOf);
    assert.equal(value, name);
    assert.equal(use.isSoftware, isSoftware);
    assert.equal(use.problem, undefined);
    assert.match(use.description, name === "wasm" ? /^WebAssembly / : /^WebGPU \d+ \(maker gpu/);
    engines.dropWebGpu();
  }
});

test("a software adapter that was chosen is left for WebAssembly by a later automatic choice", async () => {
  const engines = createEngines({ threads: 1, gpu: adapters(software).gpu });
  assert.equal((await engines.make("webgpu", nameOf)).value, "webgpu");
  const { value, use } = await engines.make("auto", nameOf);
  assert.deepEqual([value, use.problem], ["wasm", undefined]);
  engines.dropWebGpu();
});

test("no adapter, or one that opens no device, is WebAssembly with the reason, if WebGPU was to compute", async () => {
  const none: WebGpu = { requestAdapter: async () => null };
  // Chromium before version 127.
  const unnamed = adapters(undefined as unknown as GpuAdapter["info"]).gpu;
  const refusing = adapters(hardware, () => Promise.reject(new Error("refused"))).gpu;
  for (const [gpu, computation, problem] of [
    [none, "auto", undefined],
    [none, "webgpu", "this browser offers no graphics adapter"],
    [unnamed, "auto", undefined],
    [unnamed, "webgpu", "this browser offers no graphics adapter"],
    [refusing, "auto", "engine webgpu: maker gpu: cannot be opened: refused"],
    [refusing, "webgpu", "engine webgpu: maker gpu: cannot be opened: refused"],
  ] as const) {
    const { value, use } = await createEngines({ threads: 1, gpu }).make(computation, nameOf);
    assert.deepEqual([value, use.problem], ["wasm", problem]);
  }
});

test("what WebGPU cannot do is done by WebAssembly; after a failure of the device another is opened", async () => {
  const { gpu, devices } = adapters(hardware);
  const engines = createEngines({ threads: 1, gpu });
  for (const [error, problem, opened] of [
    [
      new UnimplementedError("conv1: the engine has no gather; use --engine wasm"),
      "conv1: the engine has no gather",
      1,
    ],
    [new ShapeError("fc6: too large; use another engine"), "fc6: too large; use another engine", 1],
    [new NativeError("device lost (reset; twice); close programs, and --resume"), "device lost (reset; twice)", 1],
    [new NativeError("no memory; use a smaller --batch-size"), "no memory", 2],
  ] as const) {
    const { value, use } = await engines.make("auto", async ({ name }) => {
      if (name === "webgpu") throw error;
      return name;
    });
    assert.deepEqual([value, use.problem, devices()], ["wasm", problem, opened]);
  }
  const invalid = new DataError("images: none");
  await assert.rejects(
    engines.make("auto", () => Promise.reject(invalid)),
    invalid,
  );
  assert.equal(devices(), 3);
  engines.dropWebGpu();
});
