import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, ShapeError } from "../errors.ts";
import { conv2d, flatten, linear, maxPool2d, relu } from "../layers/kinds.ts";
import { networks } from "./alexnet.ts";
import { classesOf, operations, parseNetwork, withClasses } from "./network.ts";

/** A network as a user may write it, with one change. */
function json(changes: object = {}): unknown {
  const layers = [
    { name: "conv", kind: "conv2d", outChannels: 4, kernelSize: 3 },
    { name: "relu", kind: "relu" },
    { name: "flatten", kind: "flatten" },
    { name: "fc", kind: "linear", outFeatures: 10 },
  ];
  return { name: "mine", input: [1, 8, 8], layers, ...changes };
}

/** The message of a ConfigError names origin, layer and what is wrong. */
function assertConfigError(value: unknown, ...parts: readonly string[]): void {
  assert.throws(
    () => parseNetwork(value, "mine.json"),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError, String(error));
      for (const part of ["mine.json", ...parts])
        assert.ok(error.message.includes(part), `${part} in: ${error.message}`);
      return true;
    },
  );
}

describe("parseNetwork", () => {
  it("gives omitted options their defaults", () => {
    const { layers, source, deviations } = parseNetwork(json(), "mine.json");
    assert.deepEqual(layers, [
      conv2d("conv", { outChannels: 4, kernelSize: 3, stride: 1, padding: 0, groups: 1 }),
      relu("relu"),
      flatten("flatten"),
      linear("fc", { outFeatures: 10 }),
    ]);
    assert.deepEqual([source, deviations], ["", []]);
  });

  it("reads back every network from its JSON", () => {
    for (const network of networks) {
      assert.deepEqual(parseNetwork(JSON.parse(JSON.stringify(network)), network.name), network);
    }
  });

  it("names an unknown kind and lists the known ones", () => {
    assertConfigError(
      json({ layers: [{ name: "norm", kind: "batchNorm" }] }),
      "norm",
      '"batchNorm"',
      "conv2d",
      "dropout",
    );
  });

  it("does not accept members of every object as a kind", () => {
    assertConfigError(json({ layers: [{ name: "a", kind: "toString" }] }), '"toString"');
  });

  it("names an unknown option with its layer", () => {
    const layers = [{ name: "conv", kind: "conv2d", outChannels: 4, kernelSize: 3, strides: 2 }];
    assertConfigError(json({ layers }), "conv", "strides");
  });

  it("names a missing option and one of the wrong type", () => {
    assertConfigError(json({ layers: [{ name: "conv", kind: "conv2d", kernelSize: 3 }] }), "conv", "outChannels");
    assertConfigError(
      json({ layers: [{ name: "pool", kind: "maxPool2d", kernelSize: "3", stride: 2 }] }),
      "kernelSize",
    );
    assertConfigError(json({ layers: [{ name: "drop", kind: "dropout", probability: 1 }] }), "drop", "probability");
  });

  it("refuses two layers of one name, an unknown key, an input of two axes, no layers, and no object", () => {
    assertConfigError(json({ layers: [relu("a"), relu("a")] }), "a", "two layers");
    assertConfigError(json({ inputs: [1, 8, 8] }), "inputs");
    assertConfigError(json({ input: [8, 8] }), "input");
    assertConfigError(json({ input: [1, 0, 8] }), "input");
    assertConfigError(json({ layers: [] }), "layers");
    assertConfigError(null);
  });

  it("refuses a layer that does not match the previous one, naming it", () => {
    const misfit = (layers: readonly object[], message: RegExp) =>
      assert.throws(
        () => parseNetwork(json({ layers }), "mine.json"),
        (error: unknown) => error instanceof ShapeError && message.test(error.message),
      );
    misfit([linear("fc", { outFeatures: 10 })], /^fc: expected a flat input, got \[1, 8, 8\]/);
    misfit([flatten("flat"), conv2d("conv", { outChannels: 1, kernelSize: 1 })], /^conv: expected an input \[channels/);
    misfit(
      [conv2d("conv", { outChannels: 2, kernelSize: 9 })],
      /^conv: window 9 exceeds padded input 8 .*; use an input size of at least 9×9$/,
    );

    misfit([conv2d("conv", { outChannels: 2, kernelSize: 3, groups: 2 })], /^conv: 2 groups do not divide 1 input/);
  });

  it("refuses tensors that no engine can hold, naming layer and bytes", () => {
    const refused = (change: object, message: RegExp) =>
      assert.throws(() => parseNetwork(json(change), "mine.json"), message);
    const padded = { kernelSize: 1_000_000, padding: 500_000 };
    refused({ input: [3, 1_000_000, 1_000_000] }, /^ShapeError: input: images 3×1000000×1000000 would need 12\.0 TB/);
    refused({ layers: [conv2d("conv", { outChannels: 4, ...padded })] }, /: conv: weight .* would need 16\.0 TB/);
    refused({ layers: [maxPool2d("pool", { ...padded, stride: 1 })] }, /: pool: padded input .* would need 4\.00 TB/);
    refused({ layers: [{ name: "a", kind: "adaptiveAveragePool2d", outputSize: 1e6 }] }, /: a: output .*need 4\.00 TB/);
    refused({ layers: [flatten("f"), linear("fc", { outFeatures: 2 ** 31 - 1 })] }, /: fc: weight .* need 550 GB/);
    refused({ layers: [{ name: "c", kind: "conv2d", outChannels: 1, kernelSize: 2 ** 53 }] }, /kernelSize/);
  });
});

describe("classesOf and withClasses", () => {
  it("refuse a network that is not a classifier", () => {
    const maps = parseNetwork(json({ layers: [relu("relu")] }), "mine.json");
    assert.throws(() => classesOf(maps), ConfigError);
    assert.throws(() => withClasses(maps, 3), ConfigError);
  });
});

describe("operations", () => {
  it("carry options, shapes and full parameter names", () => {
    const [conv, , flat, fc] = operations(parseNetwork(json(), "mine.json"));
    assert.deepEqual(conv, {
      kind: "conv2d",
      name: "conv",
      options: { outChannels: 4, kernelSize: 3, stride: 1, padding: 0, groups: 1 },
      order: "other",
      inInt8: "computed",
      inputShape: [1, 8, 8],
      outputShape: [4, 6, 6],
      parameters: [
        { name: "conv.weight", shape: [4, 1, 3, 3] },
        { name: "conv.bias", shape: [4] },
      ],
    });
    assert.deepEqual([flat?.outputShape, fc?.inputShape, fc?.outputShape], [[144], [144], [10]]);
  });
});
