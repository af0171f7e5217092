/** Inverted dropout, optionally active at evaluation. */
import * as z from "zod/mini";
import { belowOne } from "../schema.ts";
import { keptInInt8, type LayerKind, noParameters, outputsFollowInput, reachesSamePlace, sameShape } from "./layer.ts";

/**
 * In training output = input · m, where each m is 0 with `probability` and 1 / (1 − probability) otherwise (inverted dropout, equivalent to the
 * paper's halved outputs at test time). At evaluation output = input, unless `activeAtEvaluation` (Monte Carlo dropout).
 *
 * Shapes: any, unchanged. Source: Krizhevsky et al. 2012, §4.2; Gal and Ghahramani 2016 for dropout at evaluation.
 */
export const dropoutKind: LayerKind<"dropout"> = {
  kind: "dropout",
  options: z.strictObject({
    probability: z._default(belowOne, 0.5),
    activeAtEvaluation: z._default(z.boolean(), false),
  }),
  order: "other",
  outputShape: sameShape,
  parameters: noParameters,
  describe: ({ probability }) => ({ label: "dropout", kernel: `drops ${probability}`, sizeFormulas: [] }),
  reach: reachesSamePlace,
  // The mask.
  keeps: { reads: "neither", noteBytes: 4, memory: "inPlace" },
  randomness: ({ activeAtEvaluation }) => (activeAtEvaluation ? "always" : "training"),
  deterministic: ({ probability }) => ({ probability, activeAtEvaluation: false }),
  scaleAndShift: undefined,
  inInt8: keptInInt8,
  withOutputs: outputsFollowInput,
  onnx: (_op, input) => input,
};
