import assert from "node:assert/strict";
import { test } from "node:test";
import { everyKind, localNetwork, normNetwork } from "../../test/onnxNetworks.ts";
import { layerKinds, localResponseNorm } from "../layers/kinds.ts";
import { summarize } from "../network/summary.ts";
import { kernelText, labelText } from "./language.ts";

/** Names of functions, the same in both languages. */
const names = ["ReLU", "tanh", "sigmoid"];

test("kinds of layers and their kernels have Chinese texts, and no English word is left", () => {
  const region = localResponseNorm("region", { size: 3, region: "withinChannel" });
  const regions = { ...everyKind, layers: [region, ...everyKind.layers] };
  const layers = [regions, normNetwork, localNetwork].flatMap((network) => summarize(network).layers);
  assert.deepEqual(new Set(layers.map(({ kind }) => kind)), new Set(Object.keys(layerKinds)));
  for (const { kind, label, kernel } of layers) {
    if (!names.includes(label)) assert.match(labelText(label, "zh"), /^\p{Script=Han}+$/u, kind);
    // Formulas have letters alone, functions and exponents among them.
    assert.doesNotMatch(kernelText(kernel, "zh"), /\b(?:of|to|over|drops|channels|positions)\b/, kind);
    assert.equal(labelText(label, "en"), label);
    assert.equal(kernelText(kernel, "en"), kernel);
  }
});
