import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, ShapeError } from "../errors.ts";
import { findNetwork, networks } from "./alexnet.ts";
import { classesOf, withClasses, withInput } from "./network.ts";
import { summarize } from "./summary.ts";
import { tensorNames } from "./tensorNames.ts";

/** Heights of the maps of the layers of one kind, in order. */
function sides(name: string, inputSize?: number): (number | undefined)[] {
  const network = findNetwork(name);
  const [channels] = network.input;
  const resized = inputSize ? withInput(network, [channels, inputSize, inputSize]) : network;
  return summarize(resized)
    .layers.filter(({ kind }) => kind === "conv2d" || kind === "maxPool2d")
    .map(({ outputShape }) => outputShape[1]);
}

describe("totals", () => {
  // Counted by hand from the published architectures; alexnet-owt's parameters are those that torchvision documents.
  const expected = {
    alexnet: { parameters: 60_965_224, neurons: 659_272, macs: 724_406_816 },
    "alexnet-owt": { parameters: 61_100_840, neurons: 494_184, macs: 714_188_480 },
    "alexnet-fashion": { parameters: 62_365_122, neurons: 659_282, macs: 1_064_989_296 },
    "alexnet-rgb": { parameters: 62_388_354, neurons: 659_282, macs: 1_135_266_096 },
    "alexnet-half": { parameters: 16_630_440, neurons: 330_136, macs: 311_191_824 },
    "alexnet-small": { parameters: 6_886_184, neurons: 155_688, macs: 183_234_560 },
    "alexnet-small-bn": { parameters: 6_888_488, neurons: 155_688, macs: 183_234_560 },
    "alexnet-fast": { parameters: 3_299_552, neurons: 169_280, macs: 106_495_776 },
    "bvlc-alexnet": { parameters: 60_965_224, neurons: 659_272, macs: 724_406_816 },
    caffenet: { parameters: 60_965_224, neurons: 659_272, macs: 724_406_816 },
  };

  it("are pinned for every network", () => {
    assert.deepEqual(networks.map(({ name }) => name).sort(), Object.keys(expected).sort());
  });

  for (const [name, totals] of Object.entries(expected)) {
    it(`of ${name}`, () => {
      assert.deepEqual(summarize(findNetwork(name)).totals, { ...totals, flops: 2 * totals.macs });
    });
  }
});

describe("alexnet-small", () => {
  it("leaves 3×3 of 32 pixels, 2×2 of 28 and 7×7 of 64", () => {
    assert.deepEqual(sides("alexnet-small"), [32, 15, 15, 7, 7, 7, 7, 3]);
    assert.equal(sides("alexnet-small", 28).at(-1), 2);
    assert.equal(sides("alexnet-small", 64).at(-1), 7);
  });
});

describe("alexnet", () => {
  it("has the paper's maps", () => {
    assert.deepEqual(sides("alexnet"), [55, 27, 27, 13, 13, 13, 13, 6]);
  });

  it("has the paper's parameters in each layer", () => {
    const layers = summarize(findNetwork("alexnet")).layers.filter(({ parameters }) => parameters > 0);
    assert.deepEqual(
      layers.map(({ name, parameters }) => [name, parameters]),
      [
        ["conv1", 34_944],
        ["conv2", 307_456],
        ["conv3", 885_120],
        ["conv4", 663_936],
        ["conv5", 442_624],
        ["fc6", 37_752_832],
        ["fc7", 16_781_312],
        ["fc8", 4_097_000],
      ],
    );
  });

  it("has the paper's neurons in each layer, and none elsewhere", () => {
    const layers = summarize(findNetwork("alexnet")).layers.filter(({ neurons }) => neurons > 0);
    assert.deepEqual(
      layers.map(({ neurons }) => neurons),
      [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000],
    );
  });

  it("normalises before it pools, with the paper's constants", () => {
    const order = findNetwork("alexnet").layers.slice(0, 4);
    assert.deepEqual(
      order.map(({ kind }) => kind),
      ["conv2d", "relu", "localResponseNorm", "maxPool2d"],
    );
    assert.deepEqual(order[2], {
      name: "norm1",
      kind: "localResponseNorm",
      size: 5,
      alpha: 1e-4,
      beta: 0.75,
      k: 2,
      groups: 2,
    });
  });
});

describe("another input size", () => {
  it("rebuilds alexnet for 224: every later size follows, the first linear layer's inputs included", () => {
    assert.deepEqual(sides("alexnet", 224), [54, 26, 26, 12, 12, 12, 12, 5]);
    const fc6 = summarize(withInput(findNetwork("alexnet"), [3, 224, 224])).layers.find(({ name }) => name === "fc6");
    assert.equal(fc6?.parameters, 256 * 5 * 5 * 4096 + 4096);
  });

  it("leaves alexnet-owt's linear layers unchanged, since its maps are averaged to 6×6", () => {
    const { totals } = summarize(withInput(findNetwork("alexnet-owt"), [3, 320, 256]));
    assert.equal(totals.parameters, 61_100_840);
  });

  for (const name of ["alexnet", "alexnet-fashion", "alexnet-rgb"]) {
    it(`may be 67 but not 66 for ${name}, and the message names the layer that no longer fits`, () => {
      assert.deepEqual(sides(name, 67), [15, 7, 7, 3, 3, 3, 3, 1]);
      assert.throws(
        () => sides(name, 66),
        new ShapeError(
          "pool5: window 3 exceeds padded input 2 (input [256, 2, 2]); use an input size of at least 67×67",
        ),
      );
    });
  }

  it("may have other channels", () => {
    const gray = summarize(withInput(findNetwork("alexnet"), [1, 227, 227]));
    assert.equal(gray.layers[0]?.parameters, 96 * 11 * 11 + 96);
  });
});

describe("findNetwork", () => {
  it("lists the names if the name is unknown", () => {
    assert.throws(
      () => findNetwork("alexnt"),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        return (
          networks.every(({ name }) => error.message.includes(name)) && error.message.startsWith('network "alexnt":')
        );
      },
    );
  });
});

describe("withClasses", () => {
  it("changes only the last layer with parameters", () => {
    for (const network of networks) {
      const changed = withClasses(network, 5);
      assert.equal(classesOf(changed), 5);
      assert.deepEqual(
        changed.layers.filter((layer, i) => JSON.stringify(layer) !== JSON.stringify(network.layers[i])).length,
        1,
        network.name,
      );
      assert.deepEqual(withClasses(changed, classesOf(network)), network);
    }
  });

  it("sets the classes of a net that ends in dropout", () => {
    assert.deepEqual(withClasses(findNetwork("alexnet-rgb"), 7).layers.at(-2), {
      name: "fc9",
      kind: "linear",
      outFeatures: 7,
    });
  });
});

describe("tensorNames", () => {
  it("are torchvision's for alexnet-owt", () => {
    // The keys of torchvision.models.alexnet().state_dict(), in order.
    const modules = [0, 3, 6, 8, 10].map((i) => `features.${i}`).concat([1, 4, 6].map((i) => `classifier.${i}`));
    const expected = modules.flatMap((module) => [`${module}.weight`, `${module}.bias`]);
    assert.deepEqual([...tensorNames(findNetwork("alexnet-owt")).values()], expected);
  });

  it("are keyed by the program's names", () => {
    const names = tensorNames(findNetwork("alexnet-owt"));
    assert.equal(names.get("conv2.weight"), "features.3.weight");
    assert.equal(names.get("fc6.bias"), "classifier.1.bias");
  });

  it("differ for every tensor of every network", () => {
    for (const network of networks) {
      const names = [...tensorNames(network).values()];
      assert.equal(new Set(names).size, names.length, network.name);
    }
  });
});
