/**
 * Networks of 8-bit weights and activations: what ONNX Runtime's integer operators give is what this program says of them. Longer than other
 * tests, so that all of it stands in one.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CheckpointError, ConfigError, UnsupportedError } from "../src/errors.ts";
import { foldedNetwork } from "../src/formats/foldScales.ts";
import { readOnnx } from "../src/formats/onnx/readOnnx.ts";
import { onnxMetadata } from "../src/formats/onnx/writeOnnx.ts";
import { planQuantization, roundedPlaces } from "../src/formats/quantization.ts";
import { adaptiveAveragePool2d, conv2d, dropout, flatten, linear, maxPool2d, relu } from "../src/layers/kinds.ts";
import { findNetwork, networks } from "../src/network/alexnet.ts";
import type { Network } from "../src/network/network.ts";
import { norm } from "./assertClose.ts";
import { distance, imagesFor, roundedTo8Bits } from "./int8Networks.ts";
import { everyKind, weighted } from "./onnxNetworks.ts";
import { findPython, runPython } from "./python.ts";

/** As `roundedTo8Bits`, with the outputs rounded here as `int8`. */
async function compared(...given: Parameters<typeof roundedTo8Bits>) {
  const { simulated: int8, ...others } = await roundedTo8Bits(...given);
  return { int8, ...others };
}

/** The first layers of a network, up to one. */
function upTo(network: Network, last: string): Network {
  const end = network.layers.findIndex(({ name }) => name === last) + 1;
  return { ...network, layers: network.layers.slice(0, end) };
}

describe("8 bits in ONNX Runtime", () => {
  /**
   * Sums in another order differ by 1e-6 of an output, and so by 1e-4 of a step: of 10,000 numbers one goes to the neighbouring one. Through one or two layers
   * that is less than a hundredth of what rounding itself makes, √(1e-4 · 12) = 0.03 at most.
   */
  for (const network of [everyKind, upTo(findNetwork("alexnet"), "conv2"), upTo(findNetwork("alexnet-owt"), "conv2")]) {
    for (const lrn of ["native", "decomposed"] as const) {
      it(`are those of the simulation, number by number: ${network.name}, ${lrn}`, async () => {
        const { f32, int8, runtime } = await compared(weighted(network), imagesFor(network, 2), { lrn });
        const rounding = distance(f32, int8);
        assert.ok(rounding > 1e-3 * norm(f32), `rounding changes the outputs, by ${rounding}`);
        const [difference, allowed] = [distance(int8, runtime), 0.03 * rounding];
        assert.ok(difference <= allowed, `differs by ${difference}, allowed ${allowed}`);
      });
    }
  }

  /**
   * Each number that went to its neighbour moves what the layers behind compute from it, where more go to theirs: after eight layers the two are as
   * two roundings of nearly the same numbers, 0.14 to 0.32 of their distance to f32. Numbers rounded otherwise would be as far from each other as from f32.
   */
  for (const network of networks.map(foldedNetwork)) {
    it(`cost what the simulation says: ${network.name}`, async () => {
      const model = weighted(network);
      const { f32, int8, runtime, file } = await compared(model, imagesFor(network, 2));
      const [simulated, measured] = [distance(f32, int8), distance(f32, runtime)];
      assert.ok(distance(int8, runtime) <= 0.5 * simulated, `${distance(int8, runtime)} of ${simulated}`);
      assert.ok(Math.abs(measured - simulated) <= 0.25 * simulated, `simulated ${simulated}, measured ${measured}`);
      // Weights and activations of 7 and 8 bits through eight layers.
      assert.ok(simulated <= 0.1 * norm(f32), `rounding costs ${simulated} of ${norm(f32)}`);
      const parameters = [...model.values.values()].reduce((sum, { length }) => sum + length, 0);
      // A byte each, biases and scales of four, and the network's description.
      assert.ok(file.length < 1.01 * parameters + 300_000, `${file.length} bytes for ${parameters} parameters`);
    });
  }

  // Without a ReLU on the images themselves: there ONNX Runtime makes one rounding of two that follow each other, which is nearer to f32 than the file says.
  it("are kept by layers that only pass them on, and stay at the last bias where a layer gives nothing but 0", async () => {
    const network: Network = {
      ...everyKind,
      input: [4, 12, 12],
      layers: [
        conv2d("conv1", { outChannels: 8, kernelSize: 3, padding: 1, groups: 4 }),
        maxPool2d("pool1", { kernelSize: 2, stride: 2 }),
        relu("relu1"),
        adaptiveAveragePool2d("average", { outputSize: 6 }),
        flatten("flatten"),
        dropout("drop"),
        linear("fc1", { outFeatures: 6 }),
        relu("relu2"),
        linear("fc2", { outFeatures: 3 }),
        dropout("last", { activeAtEvaluation: true }),
      ],
    };
    const model = weighted(network);
    const live = await compared(model, imagesFor(network, 5));
    assert.deepEqual([...live.quantization.activations.keys()], ["", "conv1", "relu1", "relu2"]);
    // No number of these goes to its neighbour; what is left is the last product's rounding in f32.
    assert.ok(distance(live.int8, live.runtime) <= 1e-6 * norm(live.int8));
    assert.ok(distance(live.int8, live.f32) > 1e-3 * norm(live.f32));
    model.values.get("fc1.bias")?.fill(-100);
    const { int8, runtime } = await compared(model, imagesFor(network, 5));
    const bias = model.values.get("fc2.bias") as Float32Array;
    for (const [i, logit] of int8.entries()) {
      // What the last layer makes of 0; a sum of 30 bits at its scale.
      assert.ok(Math.abs(logit - (bias[i % 3] as number)) < 1e-6 && Math.abs(logit - (runtime[i] as number)) < 1e-6);
    }
  });

  it("work with probabilities", async () => {
    const { int8, runtime } = await compared(weighted(everyKind), imagesFor(everyKind, 1), { output: "probabilities" });
    const exponentials = int8.map(Math.exp);
    const sum = exponentials.reduce((a, b) => a + b, 0);
    assert.ok(exponentials.every((e, c) => Math.abs(e / sum - (runtime[c] as number)) < 1e-5));
  });
});

describe("what has 8 bits", () => {
  it("is every number that a layer computes, after its ReLU, but what the last gives", () => {
    const { layers } = findNetwork("alexnet");
    const names = roundedPlaces(findNetwork("alexnet")).map((place) => layers[place]?.name ?? "images");
    const expected = "images relu1 norm1 relu2 norm2 relu3 relu4 relu5 relu6 relu7";
    assert.equal(names.join(" "), expected);
  });

  it("is refused where nothing is computed, or something is not finite", async () => {
    assert.throws(() => roundedPlaces({ ...everyKind, layers: [flatten("flatten")] }), ConfigError);
    const { network, values } = weighted(everyKind);
    const finite = new Map(
      ["", "conv1", "tanh1", "norm1", "relu1", "pool2", "average", "fc1", "sigmoid1"].map((name) => [
        name,
        { min: 0, max: 1 },
      ]),
    );
    const calibration = { dataset: "drawn", images: 1 };
    const plan = (ranges: typeof finite, bias = 0) => {
      const read = (name: string) =>
        (name === "fc1.bias" ? new Float32Array(8).fill(bias) : values.get(name)) ?? new Float32Array();
      return planQuantization(network, ranges, read, calibration);
    };
    await plan(finite);
    await assert.rejects(
      plan(finite, NaN),
      (e) => e instanceof CheckpointError && /^fc1: expected finite weights/.test(e.message),
    );
    const broken = new Map(finite).set("norm1", { min: 0, max: Infinity });
    await assert.rejects(
      plan(broken),
      (e) => e instanceof CheckpointError && /^norm1: its outputs: expected finite/.test(e.message),
    );
  });
});

describe("a file of 8 bits", () => {
  it("says so, and on what it was calibrated; it is not read back", async () => {
    const { file, quantization } = await compared(weighted(everyKind), imagesFor(everyKind, 1));
    const graph = JSON.parse(onnxMetadata(everyKind, { quantization })["graph"] as string);
    assert.deepEqual(graph.int8, { calibration: { dataset: "drawn", images: 1 } });
    assert.throws(
      () => readOnnx(file, "small.onnx"),
      (error) =>
        error instanceof UnsupportedError &&
        /^small\.onnx: cannot import 8-bit weights and activations/.test(error.message),
    );
  });

  const python = findPython("onnx");
  it("passes ONNX's own checker", python === undefined ? { skip: "no Python with onnx" } : {}, async () => {
    const folder = await mkdtemp(join(tmpdir(), "alexnet-int8-"));
    try {
      for (const [name, lrn] of [
        ["a.onnx", "native"],
        ["b.onnx", "decomposed"],
      ] as const) {
        const { file } = await compared(weighted(everyKind), imagesFor(everyKind, 1), { lrn });
        await writeFile(join(folder, name), file);
      }
      const program = `
import onnx
for name in "a.onnx", "b.onnx":
    model = onnx.load(name)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    print(len(inferred.graph.node), [t.data_type for t in model.graph.initializer if t.name == "conv1.weight"])
`;
      assert.match(runPython(python as string, program, folder), /^\d+ \[3\]\n\d+ \[3\]\n$/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
