import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { adaptiveAveragePool2d, conv2d, flatten, linear, maxPool2d, relu, sigmoid, tanh } from "../layers/kinds.ts";
import { findNetwork, networks } from "./alexnet.ts";
import { type Network, parseNetwork, withInput } from "./network.ts";
import { type LayerSummary, summarize } from "./summary.ts";

function networkOf(input: Network["input"], ...layers: Network["layers"]): Network {
  return { name: "test", source: "", deviations: [], input, layers };
}

function named(network: Network, name: string): LayerSummary {
  const found = summarize(network).layers.find((layer) => layer.name === name);
  assert.ok(found, name);
  return found;
}

const alexnet = findNetwork("alexnet");

describe("formulas", () => {
  it("of alexnet's sizes and parameters, filled in", () => {
    const lines = summarize(alexnet).layers.flatMap(({ name, kernel, sizeFormulas, parameterFormula }) =>
      sizeFormulas.length === 0 ? [] : [[name, kernel, ...sizeFormulas, parameterFormula]],
    );
    assert.deepEqual(lines, [
      ["conv1", "96 of 11×11×3", "(227 − 11 + 2×0) ÷ 4 + 1 = 55", "11×11×3×96 + 96"],
      ["pool1", "max of 3×3", "(55 − 3 + 2×0) ÷ 2 + 1 = 27", ""],
      ["conv2", "256 of 5×5×48", "(27 − 5 + 2×2) ÷ 1 + 1 = 27", "5×5×48×256 + 256"],
      ["pool2", "max of 3×3", "(27 − 3 + 2×0) ÷ 2 + 1 = 13", ""],
      ["conv3", "384 of 3×3×256", "(13 − 3 + 2×1) ÷ 1 + 1 = 13", "3×3×256×384 + 384"],
      ["conv4", "384 of 3×3×192", "(13 − 3 + 2×1) ÷ 1 + 1 = 13", "3×3×192×384 + 384"],
      ["conv5", "256 of 3×3×192", "(13 − 3 + 2×1) ÷ 1 + 1 = 13", "3×3×192×256 + 256"],
      ["pool5", "max of 3×3", "(13 − 3 + 2×0) ÷ 2 + 1 = 6", ""],
      ["flatten", "", "256 × 6 × 6 = 9216", ""],
      ["fc6", "4096 of 9216", "4096, as chosen", "9216×4096 + 4096"],
      ["fc7", "4096 of 4096", "4096, as chosen", "4096×4096 + 4096"],
      ["fc8", "1000 of 4096", "1000, as chosen", "4096×1000 + 1000"],
    ]);
  });

  it("give the numbers that they explain, for every network and unusual inputs", () => {
    const product = (text: string) => text.split("×").reduce((value, factor) => value * Number(factor), 1);
    for (const network of [...networks, ...networks.map((one) => withInput(one, [one.input[0], 101, 133]))]) {
      for (const { name, parameters, parameterFormula, sizeFormulas, outputShape } of summarize(network).layers) {
        const sum = parameterFormula === "" ? 0 : parameterFormula.split(" + ").reduce((s, t) => s + product(t), 0);
        assert.equal(sum, parameters, `${network.name} ${name}`);
        for (const [i, formula] of sizeFormulas.entries()) {
          const [left = "", right = ""] = formula.split(" = ");
          if (right === "") continue;
          const code = left
            .replace(/⌊(.*)⌋/, "Math.floor($1)")
            .replaceAll("−", "-")
            .replaceAll("÷", "/")
            .replaceAll("×", "*");
          assert.equal(new Function(`return ${code}`)(), Number(right), formula);
          if (outputShape.length === 3) assert.equal(Number(right), outputShape[1 + i], formula);
        }
      }
    }
  });

  it("are rounded down if the division has a remainder, with one for each axis that differs", () => {
    assert.deepEqual(named(withInput(alexnet, [3, 224, 227]), "conv1").sizeFormulas, [
      "⌊(224 − 11 + 2×0) ÷ 4⌋ + 1 = 54",
      "(227 − 11 + 2×0) ÷ 4 + 1 = 55",
    ]);
  });
});

describe("fractions", () => {
  for (const network of networks) {
    it(`of ${network.name} add up to all of it`, () => {
      const { layers } = summarize(network);
      for (const key of ["parameterShare", "macShare"] as const) {
        assert.ok(Math.abs(layers.reduce((sum, layer) => sum + layer[key], 0) - 1) < 1e-12, key);
      }
    });
  }

  it("of alexnet: 96 % of the parameters in the linear layers, 92 % of the arithmetic in the convolutions", () => {
    const share = (kind: string, key: "parameterShare" | "macShare") =>
      summarize(alexnet).layers.reduce((sum, layer) => (layer.kind === kind ? sum + layer[key] : sum), 0);
    assert.equal(share("linear", "parameterShare").toFixed(4), (58_631_144 / 60_965_224).toFixed(4));
    assert.equal(share("conv2d", "macShare").toFixed(4), (665_784_864 / 724_406_816).toFixed(4));
  });
});

describe("receptive fields", () => {
  it("of alexnet", () => {
    const fields = summarize(alexnet).layers.map(({ name, receptiveField: { size, stride } }) => [
      name,
      size[1],
      stride?.[0],
    ]);
    const learningOrPooling = fields.filter(([name]) => /conv|pool|fc8/.test(String(name)));
    assert.deepEqual(learningOrPooling, [
      ["conv1", 11, 4],
      ["pool1", 19, 8],
      ["conv2", 51, 8],
      ["pool2", 67, 16],
      ["conv3", 99, 16],
      ["conv4", 131, 16],
      ["conv5", 163, 16],
      ["pool5", 195, 32],
      ["fc8", 227, undefined],
    ]);
  });

  it("agree with following every window back to the input", () => {
    const windows = [
      { kernelSize: 5, stride: 2, padding: 1 },
      { kernelSize: 3, stride: 2, padding: 0 },
      { kernelSize: 3, stride: 1, padding: 1 },
      { kernelSize: 2, stride: 3, padding: 0 },
    ];
    const layers = windows.map((window, i) => conv2d(`conv${i}`, { outChannels: 1, ...window }));
    const summary = summarize(networkOf([1, 400, 400], ...layers));
    summary.layers.forEach(({ receptiveField: { size, stride } }, depth) => {
      const firstAndLast = (output: number) => {
        let [first, last] = [output, output];
        for (const { kernelSize, stride: step, padding } of windows.slice(0, depth + 1).reverse()) {
          first = first * step - padding;
          last = last * step - padding + kernelSize - 1;
        }
        return [first, last] as const;
      };
      const [[first, last], [next]] = [firstAndLast(7), firstAndLast(8)];
      assert.deepEqual([size[0], stride?.[0]], [last - first + 1, next - first]);
    });
  });

  it("grow by the window of adaptive averaging, varying ones by their largest", () => {
    const average = (extent: number) =>
      named(networkOf([1, extent, 12], adaptiveAveragePool2d("mean", { outputSize: 6 })), "mean").receptiveField;
    assert.deepEqual(average(12), { size: [2, 2], stride: [2, 2] });
    assert.deepEqual(average(13), { size: [3, 2], stride: [2, 2] });
  });
});

describe("memory", () => {
  it("of a batch is four bytes per output, and the same for its gradient", () => {
    const { layers, batchSize } = summarize(alexnet, { batchSize: 32 });
    assert.deepEqual([batchSize, layers[0]?.activationBytes, layers[0]?.gradientBytes], [32, 37_171_200, 37_171_200]);
    assert.equal(summarize(alexnet).batchSize, 128);
  });

  it("of training, counted by hand", () => {
    // 4 bytes for each: the input 2·8·8, conv 3·6·6 with ReLU in its place, flatten too, linear 5. Backward at the linear layer needs the input, the
    // convolution's output with its gradient, and 5 gradients.
    const network = networkOf(
      [2, 8, 8],
      conv2d("conv", { outChannels: 3, kernelSize: 3 }),
      relu("relu"),
      flatten("flatten"),
      linear("fc", { outFeatures: 5 }),
    );
    const { trainingMemory } = summarize(network, { batchSize: 10 });
    const learned = 4 * (3 * 2 * 9 + 3 + 108 * 5 + 5);
    const activations = 10 * 4 * (128 + 2 * 108 + 5);
    assert.deepEqual(trainingMemory, {
      parameters: learned,
      gradients: learned,
      velocities: learned,
      activations,
      total: 3 * learned + activations,
    });
  });

  it("keeps only pooled maps if pooling may precede an activation", () => {
    for (const activation of [relu, tanh, sigmoid]) {
      const after4Maps = (...layers: Network["layers"]) =>
        summarize(networkOf([1, 20, 20], conv2d("conv", { outChannels: 4, kernelSize: 1 }), ...layers), {
          batchSize: 1,
        });
      const pool = maxPool2d("pool", { kernelSize: 2, stride: 2 });
      const behind = after4Maps(activation("act"), pool);
      // Backward at the pool: input, gradients of maps and of pooled maps, a byte per pooled output; the maps themselves are free.
      assert.equal(behind.trainingMemory.activations, 4 * (400 + 1600 + 400) + 400);
    }
  });
});

describe("against the paper", () => {
  const figure = (network: Network, what: string) =>
    summarize(network).againstPaper.find((entry) => entry.what === what);

  it("has the published numbers, and explains each difference", () => {
    for (const { what, published, here, note } of summarize(alexnet).againstPaper) {
      if (published !== here) assert.ok(note.length > 20, what);
    }
    assert.deepEqual(
      ["neurons of conv1", "parameters in all", "input"].map((what) => {
        const { published, here } = figure(alexnet, what) ?? {};
        return [published, here];
      }),
      [
        ["253,440", "290,400"],
        ["60 million", "60,965,224"],
        ["224×224×3", "227×227×3"],
      ],
    );
    const notes = summarize(alexnet)
      .againstPaper.map(({ note }) => note)
      .join(" ");
    for (const trap of ["34,848 + 96 = 34,944", "×2 = 307,456", "54.25", "55×48×96", "622,312", "62,378,344"]) {
      assert.ok(notes.includes(trap), trap);
    }
    assert.deepEqual([11 * 11 * 3 * 96, 2 * (5 * 5 * 48 * 128 + 128), 55 * 48 * 96], [34_848, 307_456, 253_440]);
    const ungrouped = {
      ...alexnet,
      layers: alexnet.layers.map((l) => (l.kind === "conv2d" ? { ...l, groups: 1 } : l)),
    };
    assert.equal(summarize(ungrouped).totals.parameters, 62_378_344);
  });

  it("applies only to the paper's layers, with any input", () => {
    assert.equal(figure(withInput(alexnet, [3, 224, 224]), "neurons of conv1")?.here, "279,936");
    for (const { name } of networks)
      assert.equal(summarize(findNetwork(name)).againstPaper.length > 0, name === "alexnet");
    // Networks of earlier versions.
    const across = alexnet.layers.map((l) => (l.kind === "localResponseNorm" ? { ...l, groups: undefined } : l));
    assert.ok(figure(parseNetwork(JSON.parse(JSON.stringify({ ...alexnet, layers: across }))), "neurons of conv1"));
  });
});
