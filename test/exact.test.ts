/**
 * On whole numbers whose sums stay below 2^24 f32 is exact in any order of summation, so every engine must give exactly what
 * plain oracles give, forward and backward, in all elements, on the layer shapes of AlexNet and its relatives.
 */
import { before, describe, it } from "node:test";
import type { Op } from "../src/engine/engine.ts";
import { conv2d, flatten, linear, maxPool2d } from "../src/layers/kinds.ts";
import type { AnyLayer, Layer } from "../src/layers/layer.ts";
import type { Network } from "../src/network/network.ts";
import { sizeOf } from "../src/shape.ts";
import { assertClose } from "./assertClose.ts";
import { compileTraining, fillParameters, integers, need, opsOf, passThrough, type Results } from "./chains.ts";
import { engines } from "./engines.ts";
import { conv2dOracle, type Given, linearOracle, maxPool2dOracle } from "./integerOracles.ts";

const batchSize = 2;

interface Case {
  readonly input: Network["input"];
  readonly layers: readonly AnyLayer[];
  /** Smallest and largest input. */
  readonly range: readonly [low: number, high: number];
  oracle(given: Given): Results;
}

function convolution(input: Network["input"], options: Omit<Layer<"conv2d">, "name" | "kind">): Case {
  const layers = [conv2d("layer", options)];
  const [op] = opsOf({ input, layers, batchSize });
  return { input, layers, range: [-8, 8], oracle: (given) => conv2dOracle(op as Op<"conv2d">, given) };
}

function fullyConnected(input: Network["input"], outFeatures: number): Case {
  const layers = [flatten("flatten"), linear("layer", { outFeatures })];
  const [, op] = opsOf({ input, layers, batchSize });
  return { input, layers, range: [-8, 8], oracle: (given) => linearOracle(op as Op<"linear">, given) };
}

/** Few different values, so that most windows have ties. */
function pooling(input: Network["input"], padding: number, range: Case["range"]): Case {
  const layers = [maxPool2d("layer", { kernelSize: 3, stride: 2, padding })];
  const [op] = opsOf({ input, layers, batchSize });
  return { input, layers, range, oracle: (given) => maxPool2dOracle(op as Op<"maxPool2d">, given) };
}

const one = { stride: 1, padding: 1, groups: 1 };
const cases: Readonly<Record<string, Case>> = {
  "conv1, 3 channels": convolution([3, 227, 227], {
    outChannels: 96,
    kernelSize: 11,
    stride: 4,
    padding: 0,
    groups: 1,
  }),
  "conv1, 1 channel": convolution([1, 227, 227], { outChannels: 96, kernelSize: 11, stride: 4, padding: 0, groups: 1 }),
  "conv1, alexnet-owt": convolution([3, 224, 224], {
    outChannels: 64,
    kernelSize: 11,
    stride: 4,
    padding: 2,
    groups: 1,
  }),
  "conv2, 2 groups": convolution([96, 27, 27], { outChannels: 256, kernelSize: 5, stride: 1, padding: 2, groups: 2 }),
  conv2: convolution([96, 27, 27], { outChannels: 256, kernelSize: 5, stride: 1, padding: 2, groups: 1 }),
  conv3: convolution([256, 13, 13], { outChannels: 384, kernelSize: 3, ...one }),
  "conv4, 2 groups": convolution([384, 13, 13], { outChannels: 384, kernelSize: 3, ...one, groups: 2 }),
  conv4: convolution([384, 13, 13], { outChannels: 384, kernelSize: 3, ...one }),
  "conv5, 2 groups": convolution([384, 13, 13], { outChannels: 256, kernelSize: 3, ...one, groups: 2 }),
  conv5: convolution([384, 13, 13], { outChannels: 256, kernelSize: 3, ...one }),
  "pool1, ties": pooling([96, 55, 55], 0, [0, 3]),
  "pool2, ties": pooling([256, 27, 27], 0, [0, 3]),
  "pool5, ties": pooling([256, 13, 13], 0, [0, 3]),
  "pool with padding, all values negative, ties": pooling([20, 14, 11], 1, [-3, -1]),
  "pool of all equal values": pooling([32, 13, 13], 0, [1, 1]),
  fc6: fullyConnected([256, 6, 6], 4096),
  fc7: fullyConnected([4096, 1, 1], 4096),
  fc8: fullyConnected([4096, 1, 1], 1000),
  fc9: fullyConnected([1000, 1, 1], 10),
};

function given(name: string, { input, layers, range }: Case): Given {
  const op = opsOf({ input, layers, batchSize }).at(-1);
  const [weight = 0, bias = 0] = op?.parameters.map(({ shape }) => sizeOf(shape)) ?? [];
  return {
    batchSize,
    x: integers(`${name} x`, batchSize * sizeOf(input), ...range),
    w: integers(`${name} w`, weight, -8, 8),
    b: integers(`${name} b`, bias, -100, 100),
    dy: integers(`${name} dy`, batchSize * sizeOf(op?.outputShape ?? []), -8, 8),
  };
}

for (const [name, chain] of Object.entries(cases)) {
  describe(`exact on whole numbers, ${name}`, () => {
    let values: Given;
    let expected: Results;

    before(() => {
      values = given(name, chain);
      expected = chain.oracle(values);
    });

    for (const { name: engineName, create } of engines) {
      it(engineName, async () => {
        const { x, w, b, dy } = values;
        const engine = create();
        const program = await compileTraining(engine, { ...chain, batchSize });
        await fillParameters(program, (parameter) => (parameter.endsWith(".weight") ? w : b));
        const results = await passThrough(program, x, dy);
        program.close();
        engine.close();
        for (const [key, value] of expected) assertClose(need(results, key), value, {}, key);
      });
    }
  });
}
