import assert from "node:assert/strict";
import { test } from "node:test";
import { integers } from "../../../../test/chains.ts";
import { conv2d, relu } from "../../../layers/kinds.ts";
import { operations } from "../../../network/network.ts";
import type { Op } from "../../engine.ts";
import { loadOneDnn } from "../native/find.ts";
import { loadLibC } from "../native/libc.ts";
import { Plan, type Value } from "../plan.ts";
import { newAccount } from "../profile.ts";
import { whole } from "./op.ts";
import { addWeightGradient, inParts } from "./weightGradient.ts";

/** The gradients of a small convolution by its weights and bias, on whole numbers, computed in that many parts of the batch. */
function gradientsInParts(parts: number): readonly number[] {
  const library = loadOneDnn();
  const session = library.session();
  const plan = new Plan(session, newAccount());
  const [batchSize, inputShape, outChannels] = [8, [16, 7, 6], 32] as const;
  const layers = [conv2d("conv", { outChannels, kernelSize: 3 }), relu("relu")];
  const network = {
    name: "parts",
    source: "",
    deviations: [],
    input: [...inputShape] as [number, number, number],
    layers,
  };
  const [op] = operations(network) as [Op<"conv2d">];
  const [dims, outputDims] = [
    [batchSize, ...inputShape],
    [batchSize, ...op.outputShape],
  ];
  const weightDims = [outChannels, 16, 3, 3];
  const place = (extents: readonly number[]): Value => {
    const value = plan.value(extents, session.plain(extents, "f32"));
    plan.keep(value);
    return value;
  };
  const [input, gradient, weight, bias] = [dims, outputDims, weightDims, [outChannels]].map(place) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const window = { stride: 1, padding: 0, algorithm: "direct" } as const;
  const free = (extents: readonly number[]) => session.any(extents, "f32");
  const descs = { src: free(dims), weights: free(weightDims), bias: bias.desc, dst: free(outputDims) };
  const forward = session.weightedForward(descs, window, true, undefined);
  const layouts = { src: plan.layout(forward, "src"), dst: plan.layout(forward, "dst") };
  const weighted = {
    op,
    next: undefined,
    input,
    src: descs.src,
    weights: descs.weights,
    weightDims,
    outputDims,
    window,
    part: whole,
  };
  const chosen = inParts(plan, weighted, { format: "f32", layouts }, parts);
  const made = plan.value(weightDims, plan.layout(chosen.primitiveDesc, "diffWeights"));
  addWeightGradient(plan, "convolution", chosen, { input, gradient, weight: made, bias });
  plan.copy(made, weight);
  const { arena, phase } = plan.finish(loadLibC().map);
  for (const [name, value] of Object.entries({ input, gradient }))
    plan.view(value).set(integers(name, plan.view(value).length, -4, 4));
  phase(0, plan.length).run();
  const results = [...plan.view(weight), ...plan.view(bias)];
  session.close();
  arena.unmap();
  library.close();
  return results;
}

test("in parts of the batch, gradients are those of the whole batch: to the bit on whole numbers", () => {
  const expected = gradientsInParts(1);
  assert.ok(expected.some((value) => value !== 0));
  for (const parts of [2, 4, 8]) assert.deepEqual(gradientsInParts(parts), expected, `${parts} parts`);
});
