/** Inference in int8 on oneDNN: the numbers of the exported file in ONNX Runtime. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CompileRequest } from "../src/engine/engine.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { ConfigError } from "../src/errors.ts";
import { foldedNetwork } from "../src/formats/foldScales.ts";
import type { Int8Scheme } from "../src/int8.ts";
import { adaptiveAveragePool2d, conv2d, dropout, flatten, linear, maxPool2d, relu } from "../src/layers/kinds.ts";
import { findNetwork, networks } from "../src/network/alexnet.ts";
import { deterministic, type Network, operations } from "../src/network/network.ts";
import { sizeOf } from "../src/shape.ts";
import { norm } from "./assertClose.ts";
import { noDraws } from "./chains.ts";
import { distance, imagesFor, roundedTo8Bits } from "./int8Networks.ts";
import { everyKind, type Weighted, weighted } from "./onnxNetworks.ts";

const COUNT = 2;

/** As `roundedTo8Bits`, and int8 on the engine. */
async function compared({ network: given, values }: Weighted, images: Float32Array, { batchSize = COUNT + 1 } = {}) {
  const network = deterministic(given);
  const { quantization, ...others } = await roundedTo8Bits({ network, values }, images);
  const engine = createOneDnnEngine();
  try {
    const program = await engine.compile({
      ops: operations(network),
      inputShape: network.input,
      batchSize,
      precision: "int8",
      quantization,
    });
    for (const { name, value } of program.parameters) {
      await program.write(value, (values.get(name) as Float32Array).slice());
    }
    const size = sizeOf(network.input);
    const outputs: number[] = [];
    // By default one batch with a row to spare.
    for (let first = 0; first < COUNT; first += batchSize) {
      const count = Math.min(batchSize, COUNT - first);
      outputs.push(...(await program.forward(images.subarray(first * size, (first + count) * size), count, noDraws)));
    }
    const int8 = Float32Array.from(outputs);
    const work = program.takeProfile().map(({ layer, work: kind }) => `${layer} ${kind}`);
    return { ...others, int8, work };
  } finally {
    engine.close();
  }
}

/** The first layers of a network, up to its second pooling. */
function upToPool(network: Network): Network {
  const end = network.layers.findIndex(({ name }) => name === "pool2") + 1;
  return {
    ...network,
    layers: [...network.layers.slice(0, end), flatten("flatten"), linear("fc", { outFeatures: 4 })],
  };
}

describe("int8 on oneDNN", () => {
  /**
   * Integer sums are exact, and so equal. A product of scales may round in another order, and move one of millions of numbers to its neighbour: a
   * twentieth of what rounding itself costs is more than that does through eight layers.
   */
  const whole = findNetwork("alexnet-small");
  for (const network of [everyKind, whole, ...networks.map((one) => upToPool(foldedNetwork(one)))]) {
    it(`computes what the exported file does on integer operators: ${network.name}, ${network.layers.length} layers`, async () => {
      const { f32, simulated, runtime, int8 } = await compared(weighted(network), imagesFor(network, COUNT));
      const [cost, measured] = [distance(f32, simulated), distance(f32, int8)];
      assert.ok(cost > 1e-3 * norm(f32), `rounding changes the outputs, by ${cost}`);
      assert.ok(distance(int8, runtime) <= 0.05 * cost, `differs by ${distance(int8, runtime)}, rounding by ${cost}`);
      assert.ok(Math.abs(measured - cost) <= 0.25 * cost, `rounding costs ${measured}, simulated ${cost}`);
    });
  }

  it("passes 8 bits through pooling, and is exact where no sum is near the middle", async () => {
    const network: Network = {
      ...everyKind,
      input: [4, 12, 12],
      layers: [
        conv2d("conv1", { outChannels: 8, kernelSize: 3, padding: 1, groups: 4 }),
        maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
        relu("relu1"),
        adaptiveAveragePool2d("average", { outputSize: 6 }),
        conv2d("conv2", { outChannels: 5, kernelSize: 3, padding: 2 }),
        relu("relu2"),
        relu("relu3"),
        flatten("flatten"),
        linear("fc1", { outFeatures: 6 }),
        relu("relu4"),
        dropout("drop"),
      ],
    };
    const { f32, simulated, int8, work } = await compared(weighted(network), imagesFor(network, COUNT));
    // The last product's rounding in f32.
    assert.ok(distance(int8, simulated) <= 1e-6 * norm(simulated));
    assert.ok(distance(int8, f32) > 1e-3 * norm(f32));
    const expected = [
      ...["input quantize", "conv1 reorder", "conv1 convolution", "pool1 pooling"],
      ...["relu1 reorder", "relu1 dequantize", "relu1 activation", "relu1 quantize"],
      ...["conv2 reorder", "conv2 convolution", "relu3 activation", "relu3 quantize", "flatten reorder", "fc1 linear"],
    ];
    const withoutCopies = (list: readonly string[]) => list.filter((name) => !name.endsWith("reorder"));
    assert.deepEqual(withoutCopies(work), withoutCopies(expected));
  });

  it("gives an image the same numbers in any batch", async () => {
    const network = upToPool(findNetwork("alexnet-small"));
    const model = weighted(network);
    const images = imagesFor(network, COUNT);
    const [all, alone] = [await compared(model, images), await compared(model, images, { batchSize: 1 })];
    assert.deepEqual(all.int8, alone.int8);
  });
});

describe("int8 is refused by name", () => {
  const { input } = everyKind;
  const request = { ops: operations(everyKind), inputShape: input, batchSize: 1, precision: "int8" } as const;
  const empty: Int8Scheme = { activations: new Map(), parameters: new Map() };

  it("for dropout that stays active, and without a quantization", async () => {
    const engine = createOneDnnEngine();
    try {
      await assert.rejects(
        engine.compile({ ...request, quantization: empty }),
        (e) => e instanceof ConfigError && /^drop: int8 has no dropout that stays active/.test(e.message),
      );
      await assert.rejects(engine.compile(request), /^ConfigError: precision: int8 needs a quantization/);
    } finally {
      engine.close();
    }
  });

  it("in training, whatever the types say", async () => {
    const engine = createOneDnnEngine();
    try {
      const training = request as unknown as CompileRequest;
      await assert.rejects(engine.compileTraining(training), /int8 is for inference only; train in f32 or bf16/);
    } finally {
      engine.close();
    }
  });

  it("by the reference engine", async () => {
    const engine = createReferenceEngine();
    await assert.rejects(engine.compile(request), /^UnimplementedError: precision: the reference engine has no int8/);
    assert.deepEqual(engine.inferencePrecisions, engine.precisions);
    engine.close();
  });
});
