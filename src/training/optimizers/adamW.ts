/** AdamW. */
import * as z from "zod/mini";
import { nonnegative } from "../../schema.ts";
import { momentNames, momentOptions, momentStep } from "./adam.ts";
import type { OptimizerKind } from "./optimizerKind.ts";

/**
 * Adam with decoupled decay: w ← (1 − ε·λ)·w, then Adam's step on the gradient alone. Source: Loshchilov and Hutter 2019, algorithm 2; as
 * torch.optim.AdamW, whose defaults these are, the decay is multiplied by the learning rate and not by the schedule's factor alone.
 */
export const adamWSchema = z.strictObject({
  kind: z.literal("adamw"),
  ...momentOptions,
  weightDecay: z._default(nonnegative, 0.01),
});

export type AdamW = z.infer<typeof adamWSchema>;

export const adamW: OptimizerKind<AdamW> = {
  schema: adamWSchema,
  readsNorms: false,
  state: () => momentNames,
  step: (options, tensors, weightDecay) =>
    momentStep(options, tensors, 0, (learningRate) => 1 - learningRate * weightDecay),
  describe: ({ beta1, beta2, weightDecay }) => `AdamW, β ${beta1} and ${beta2}, decay ${weightDecay}`,
};
