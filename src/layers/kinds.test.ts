import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { OpKind } from "../engine/engine.ts";
import type { Operation } from "../engine/reference/operation.ts";
import { ShapeError } from "../errors.ts";
import type { Shape } from "../shape.ts";
import {
  adaptiveAveragePool2d,
  conv2d,
  dropout,
  flatten,
  layerKinds,
  linear,
  localResponseNorm,
  maxPool2d,
  relu,
} from "./kinds.ts";
import type { LayerKind } from "./layer.ts";

/** The members that may be left out of a type. */
type OptionalMembers<T> = { [M in keyof T]-?: object extends Pick<T, M> ? M : never }[keyof T];
/** Does not compile once a member of `LayerKind`, or of a kind in the reference engine, is optional. */
const required: readonly [OptionalMembers<LayerKind<OpKind>>, OptionalMembers<Operation<OpKind>>] extends readonly [
  never,
  never,
]
  ? true
  : false = true;

describe("layerKinds", () => {
  it("declare every member: an omission does not compile", () => {
    assert.ok(required);
  });

  it("are listed under their own names, and docs/layers.md says what each does", () => {
    const docs = readFileSync(new URL("../../docs/layers.md", import.meta.url), "utf8");
    for (const [name, { kind }] of Object.entries(layerKinds)) {
      assert.equal(kind, name);
      assert.match(docs, new RegExp(`^\\| .*\`${name}\`.* \\| .{20,} \\|`, "m"), `docs/layers.md: ${name}`);
    }
  });
});

describe("options", () => {
  it("omitted take their defaults", () => {
    assert.deepEqual(localResponseNorm("n"), {
      name: "n",
      kind: "localResponseNorm",
      size: 5,
      alpha: 1e-4,
      beta: 0.75,
      k: 2,
    });
    assert.deepEqual(dropout("d"), { name: "d", kind: "dropout", probability: 0.5, activeAtEvaluation: false });
    assert.deepEqual(relu("r"), { name: "r", kind: "relu" });
  });

  it("that are invalid are refused", () => {
    assert.throws(() => conv2d("c", { outChannels: 4 }), /kernelSize/);
    assert.throws(() => conv2d("c", { outChannels: 0, kernelSize: 3 }), /outChannels/);
    assert.throws(() => conv2d("c", { outChannels: 4, kernelSize: 3, stride: 0 }), /stride/);
    assert.throws(() => conv2d("c", { outChannels: 4, kernelSize: 3, padding: 0.5 }), /padding/);
    assert.throws(() => dropout("d", { probability: 1 }), /probability/);
    assert.throws(() => linear("l", { outFeatures: -1 }), /outFeatures/);
  });
});

describe("output shapes", () => {
  const conv = (options: Parameters<typeof conv2d>[1], input: Shape) =>
    layerKinds.conv2d.outputShape("c", conv2d("c", options), input);
  const pool = (options: Parameters<typeof maxPool2d>[1], input: Shape) =>
    layerKinds.maxPool2d.outputShape("p", maxPool2d("p", options), input);

  it("of conv2d follow ⌊(W − K + 2P) / S⌋ + 1, separately for each axis", () => {
    assert.deepEqual(conv({ outChannels: 96, kernelSize: 11, stride: 4 }, [3, 227, 227]), [96, 55, 55]);
    assert.deepEqual(conv({ outChannels: 64, kernelSize: 11, stride: 4, padding: 2 }, [3, 224, 224]), [64, 55, 55]);
    assert.deepEqual(conv({ outChannels: 2, kernelSize: 3, stride: 2, padding: 1 }, [1, 8, 5]), [2, 4, 3]);
    assert.deepEqual(conv({ outChannels: 2, kernelSize: 3 }, [1, 3, 3]), [2, 1, 1]);
  });

  it("of pools follow the same formula, and padding may not exceed half the window", () => {
    assert.deepEqual(pool({ kernelSize: 3, stride: 2 }, [96, 55, 55]), [96, 27, 27]);
    assert.deepEqual(pool({ kernelSize: 3, stride: 2, padding: 1 }, [4, 7, 6]), [4, 4, 3]);
    assert.throws(() => pool({ kernelSize: 3, stride: 2, padding: 2 }, [4, 7, 6]), ShapeError);
  });

  it("of the others", () => {
    const average = adaptiveAveragePool2d("a", { outputSize: 6 });
    assert.deepEqual(layerKinds.adaptiveAveragePool2d.outputShape("a", average, [256, 7, 13]), [256, 6, 6]);
    assert.deepEqual(layerKinds.flatten.outputShape("f", flatten("f"), [256, 6, 6]), [9216]);
    assert.deepEqual(layerKinds.relu.outputShape("r", relu("r"), [5, 4, 3]), [5, 4, 3]);
    assert.deepEqual(layerKinds.linear.outputShape("l", linear("l", { outFeatures: 10 }), [9216]), [10]);
  });

  it("require maps if the layer works on maps", () => {
    for (const kind of ["localResponseNorm", "adaptiveAveragePool2d", "maxPool2d", "conv2d"] as const) {
      const options = {
        size: 5,
        alpha: 1,
        beta: 1,
        k: 1,
        outputSize: 2,
        kernelSize: 1,
        stride: 1,
        padding: 0,
        outChannels: 1,
        groups: 1,
      };
      assert.throws(
        () => layerKinds[kind].outputShape("layer", options, [12]),
        /^ShapeError: layer: expected an input \[channels/,
      );
    }
  });
});

describe("parameters", () => {
  it("of conv2d cover only their group's channels", () => {
    const options = conv2d("c", { outChannels: 256, kernelSize: 5, padding: 2, groups: 2 });
    assert.deepEqual(layerKinds.conv2d.parameters("c", options, [96, 27, 27]), [
      { name: "weight", shape: [256, 48, 5, 5], fanIn: 1200, fanOut: 3200 },
      { name: "bias", shape: [256], fanIn: 1200, fanOut: 3200 },
    ]);
  });

  it("of conv2d require groups that divide both channel counts", () => {
    const options = conv2d("c", { outChannels: 6, kernelSize: 1, groups: 4 });
    assert.throws(
      () => layerKinds.conv2d.parameters("c", options, [8, 2, 2]),
      /^ShapeError: c: 4 groups do not divide 8 input and 6/,
    );
  });

  it("of linear follow from the input", () => {
    assert.deepEqual(layerKinds.linear.parameters("l", linear("l", { outFeatures: 10 }), [84]), [
      { name: "weight", shape: [10, 84], fanIn: 84, fanOut: 10 },
      { name: "bias", shape: [10], fanIn: 84, fanOut: 10 },
    ]);
  });
});
