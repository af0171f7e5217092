/** The WebAssembly engine: same bits for any number of threads, its size, and what it says where it cannot run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { type Chain, compileTraining, fillParameters, need, noDraws, passThrough } from "../../../test/chains.ts";
import { dataOf } from "../../../test/conformance/compare.ts";
import { stacks } from "../../../test/conformance/stacks.ts";
import { ConfigError, NativeError, ShapeError, UnimplementedError } from "../../errors.ts";
import { conv2d, flatten, linear } from "../../layers/kinds.ts";
import { alone } from "../communicator.ts";
import { control } from "./kernels/kernel.ts";
import { findPlatform, type Platform } from "./platform.ts";
import { createEngineOn, createWasmEngine } from "./wasm.ts";

const settings = { precision: "f32", exact: true } as const;
const { input, layers } = need(
  new Map(Object.entries(stacks)),
  "alexnet, narrow: channels in whole blocks, groups, 3×3 convolutions",
);
const chain: Chain = { input, layers, batchSize: 5 };

async function pass(threads: number) {
  const engine = await createWasmEngine({ threads });
  const program = await compileTraining(engine, settings, chain);
  await fillParameters(program);
  const { images, outputGradient } = dataOf(chain, program.outputShape);
  const results = await passThrough(program, images, outputGradient);
  const norm = await program.sumOfSquares(program.parameters.map(({ gradient }) => gradient));
  engine.close();
  return { results, norm };
}

test("results have the same bits for 1, 2, 3 and 7 threads", async () => {
  const alone = await pass(1);
  for (const threads of [2, 3, 7]) assert.deepEqual(await pass(threads), alone, `${threads} threads`);
});

test("a program in the memory of a closed one computes the same, starts from zeros, and is out of reach of the closed one's input", async () => {
  const { images, outputGradient } = dataOf(chain, [10]);
  const engine = await createWasmEngine({ threads: 2 });
  const first = await compileTraining(engine, settings, chain);
  await fillParameters(first);
  const expected = await passThrough(first, images, outputGradient);
  const { input: held } = first;
  first.close();
  // Its thread ends, and the memory is free.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const second = await compileTraining(engine, settings, chain);
  held.fill(Number.NaN);
  for (const { value, gradient } of second.parameters) {
    for (const tensor of [value, gradient, second.newTensor(value)]) {
      assert.ok((await second.read(tensor)).every((x) => x === 0));
    }
  }
  await fillParameters(second);
  assert.deepEqual(await passThrough(second, images, outputGradient), expected);
  engine.close();
});

test("the engine, bundled for a browser, is at most 27 kB gzipped, and imports nothing of Node.js", async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("wasm.ts", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
  });
  const bytes = gzipSync(outputFiles[0]?.contents ?? "").length;
  assert.ok(bytes <= 27_000, `${bytes} bytes`);
  const imports = Object.values(metafile.inputs).flatMap((file) => file.imports.filter(({ external }) => external));
  assert.deepEqual(imports, []);
});

test("threads out of bounds, or where there can be one only, are refused", async () => {
  for (const threads of [0, 1.5, 257]) {
    await assert.rejects(createWasmEngine({ threads }), {
      name: "ConfigError",
      message: `threads: expected a whole number from 1 to 256, got ${threads}`,
    });
  }
  const single: Platform = { ...(await findPlatform()), singleThread: "the page is not cross-origin isolated" };
  const message = "threads: expected 1, got 2: the page is not cross-origin isolated";
  await assert.rejects(createEngineOn(single, { threads: 2 }), { name: "ConfigError", message });
  const engine = await createEngineOn(single);
  assert.equal(engine.threads, 1);
  engine.close();
});

test("a thread that cannot be had is an error at compilation, with a remedy", async () => {
  const platform: Platform = {
    ...(await findPlatform()),
    startWorker: () => Promise.reject(new Error("resource temporarily unavailable")),
  };
  const engine = await createEngineOn(platform, { threads: 2 });
  await assert.rejects(compileTraining(engine, settings, chain), {
    name: "NativeError",
    message: "engine wasm: cannot start 2 threads (resource temporarily unavailable); use --threads 1",
  });
  engine.close();
});

/** In place of a worker's loop: waits for `control.started`, then fails. */
const breakOff = `Atomics.wait(words, ${control.started / 4}, 0); throw new Error("a fault")`;

test("a thread that dies between two steps, or in the middle of one, is an error of the next call, not a wait", async () => {
  const found = await findPlatform();
  for (const when of ["idle", "busy"] as const) {
    const ends: (() => void)[] = [];
    const platform: Platform = {
      ...found,
      startWorker: async (request) => {
        // In the middle: it ends once the first phase has started, and never arrives at the barrier.
        const source =
          when === "idle" ? request.source : request.source.replace("instance.exports.serve(thread)", breakOff);
        const worker = await found.startWorker({ ...request, source });
        ends.push(() => void worker.end());
        return worker;
      },
    };
    const engine = await createEngineOn(platform, { threads: 2 });
    const program = await compileTraining(engine, settings, chain);
    const { images } = dataOf(chain, program.outputShape);
    if (when === "idle") {
      await program.forward(images, 5, noDraws);
      for (const end of ends) end();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    const error = await program.forward(images, 5, noDraws).then(undefined, (reason: unknown) => reason);
    assert.ok(error instanceof NativeError, String(error));
    assert.match(error.message, /^engine wasm: a thread ended \(.*\); run again, or use --threads 1$/);
    await assert.rejects(program.forward(images, 5, noDraws), NativeError);
    engine.close();
  }
});

test("a program over 4 GiB is refused before anything is allocated, with the bytes", async () => {
  const engine = await createWasmEngine({ threads: 1 });
  const large: Chain = {
    input: [64, 512, 512],
    layers: [conv2d("conv", { outChannels: 64, kernelSize: 3, padding: 1 })],
    batchSize: 32,
  };
  const message =
    /^engine wasm: the program needs 1\d\.\d GB \(expected at most 4\.29 GB, what WebAssembly can address\); use a smaller batch size or input, or --engine onednn$/;
  await assert.rejects(
    compileTraining(engine, settings, large),
    (error) => error instanceof ShapeError && message.test(error.message),
  );
  engine.close();
});

test("optimizer state over 4 GiB, and memory that the system refuses, are errors", async () => {
  const engine = await createWasmEngine({ threads: 1 });
  const layers = [flatten("flatten"), linear("fc", { outFeatures: 8192 })];
  const program = await compileTraining(engine, settings, { input: [8192, 1, 1], layers, batchSize: 1 });
  const [weight] = program.parameters;
  assert.ok(weight);
  assert.throws(
    () => {
      for (let i = 0; i < 16; i++) program.newTensor(weight.value);
    },
    (error) => error instanceof ShapeError || error instanceof NativeError,
  );
  engine.close();
});

test("a runtime without SIMD, or without shared memory, is named", async (context) => {
  context.mock.method(WebAssembly, "validate", () => false);
  await assert.rejects(createWasmEngine(), { name: "NativeError", message: /no WebAssembly SIMD/ });
  context.mock.restoreAll();
  context.mock.method(WebAssembly, "Memory", () => {
    throw new RangeError("could not allocate memory");
  });
  await assert.rejects(createWasmEngine(), { name: "NativeError", message: /no shared memory for WebAssembly/ });
});

test("other precisions are refused", async () => {
  const engine = await createWasmEngine({ threads: 1 });
  const request = { ops: [], inputShape: [1, 1, 1], batchSize: 1, precision: "bf16" } as const;
  await assert.rejects(engine.compileTraining(request), UnimplementedError);
  engine.close();
});

test("training in several processes is refused", async () => {
  const engine = await createWasmEngine({ threads: 1 });
  try {
    const several = { ...alone, size: 5 };
    await assert.rejects(compileTraining(engine, settings, { ...chain, communicator: several }), ConfigError);
  } finally {
    engine.close();
  }
});
