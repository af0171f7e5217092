/** Local response normalization of the ablations, against the paper's on pixels of 0 to 255. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Network } from "../network/network.ts";
import { ablations, ablationsFashion } from "./ablations.ts";

/** Factor of local response normalization for a sum of squares over the window. */
const factor = (squares: number, alpha: number) => (2 + (alpha / 5) * squares) ** -0.75;

test("activations of scaled pixels get the factor that the paper's get, not a constant one", () => {
  for (const [{ arms }, deviation] of [
    [ablations, 64],
    [ablationsFashion, 90],
  ] as const) {
    const { layers = [] } = (arms[0]?.values["network"] ?? {}) as Partial<Network>;
    const alphas = layers.flatMap((layer) => (layer.kind === "localResponseNorm" ? [layer.alpha] : []));
    assert.equal(alphas.length, 2);
    for (const alpha of alphas) {
      // Five activations of 1.6, the largest after Xavier's weights.
      const squares = 5 * 1.6 ** 2;
      const paper = factor(squares * deviation ** 2, 1e-4);
      assert.ok(Math.abs(factor(squares, alpha) - paper) < 1e-12, "rounding");
      assert.ok(factor(squares, alpha) < 0.9 * factor(0, alpha) && factor(squares, 1e-4) > 0.999 * factor(0, 1e-4));
    }
  }
});
