/** Networks and decays of lrn-cifar10, against the authors' layer files. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { place } from "../network/network.ts";
import { trialsOf } from "../tuning/sweepPlan.ts";
import { lrnCifar10 } from "./lrnCifar10.ts";
import { convLocal, threeConvolutions } from "./lrnCifar10Networks.ts";
import { planOf, trialsOfSeed } from "./trials.ts";

test("maps have the sizes of the authors' program, which rounds the number of windows of a pool up", () => {
  const sizesOf = (network: ReturnType<typeof convLocal>) =>
    place(network).flatMap(({ layer, outputShape }) => (layer.name.startsWith("pool") ? [outputShape] : []));
  assert.deepEqual(sizesOf(convLocal("local response")), [
    [64, 12, 12],
    [64, 6, 6],
  ]);
  assert.deepEqual(sizesOf(threeConvolutions("local response")), [
    [32, 12, 12],
    [32, 6, 6],
    [64, 3, 3],
  ]);
});

test("in every network with locally connected layers, these and fc10 decay, convolutions and the scale of their normalization do not", async () => {
  const plan = planOf(lrnCifar10, trialsOfSeed({ ...lrnCifar10, overrides: {} }, 0, new Map()));
  for (const { plan: trial, number } of await trialsOf(plan)) {
    const { network, recipe } = trial;
    if (!network?.name.startsWith("conv-local")) continue;
    const decays = place(network).flatMap(({ layer, parameters }) =>
      parameters.flatMap(({ name, isStatistic }) => {
        const factors = recipe.multipliers[`${layer.name}.${name}`] ?? recipe.multipliers[name];
        return isStatistic || factors?.weightDecay === 0 ? [] : [`${layer.name}.${name}`];
      }),
    );
    assert.deepEqual(decays, ["local3.weight", "local4.weight", "fc10.weight"], `trial ${number}`);
    assert.equal(recipe.multipliers["bias"]?.learningRate, 2);
  }
});
