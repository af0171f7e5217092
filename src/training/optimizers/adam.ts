/** Adam. */
import * as z from "zod/mini";
import type { Assignment, Scalar } from "../../engine/engine.ts";
import { belowOne, nonnegative } from "../../schema.ts";
import type { OptimizerKind, OptimizerTensors, ParameterStep } from "./optimizerKind.ts";

/** The options that Adam and AdamW share, with PyTorch's defaults. */
export const momentOptions = {
  beta1: z._default(belowOne, 0.9),
  beta2: z._default(belowOne, 0.999),
  epsilon: z._default(z.number().check(z.gte(1e-30)), 1e-8),
};

/**
 * Adam. With w weights, g gradient, λ decay, ε learning rate, t the step from 1: g ← g + λ·w; m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g²;
 * w ← w − ε · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + `epsilon`). Source: Kingma and Ba 2015, algorithm 1; decay as in torch.optim.Adam.
 */
export const adamSchema = z.strictObject({
  kind: z.literal("adam"),
  ...momentOptions,
  weightDecay: z._default(nonnegative, 0),
});

export type Adam = z.infer<typeof adamSchema>;

export const adam: OptimizerKind<Adam> = {
  schema: adamSchema,
  readsNorms: false,
  state: () => momentNames,
  step: (options, tensors, weightDecay) => momentStep(options, tensors, weightDecay),
  describe: ({ beta1, beta2, weightDecay }) => `Adam, β ${beta1} and ${beta2}, decay ${weightDecay}`,
};

/** State of Adam and AdamW. */
export const momentNames: readonly string[] = ["firstMoment", "secondMoment"];

/** Adam's step, with decay in the gradient, or with weights multiplied by `kept`: as k · (w + step / k), so that they are read and written once. */
export function momentStep(
  { beta1, beta2, epsilon }: Pick<Adam, "beta1" | "beta2" | "epsilon">,
  { value, gradient, state: [first, second] }: OptimizerTensors,
  gradientDecay: number,
  keptShare?: (learningRate: number) => number,
): ParameterStep {
  if (!first || !second) throw new Error("adam: expected two tensors of state");
  const decayed = [
    ["multiply", { value: gradientDecay }],
    ["add", gradient],
  ] as const;
  const [rate, correction, kept]: readonly [Scalar, Scalar, Scalar] = [{ value: 0 }, { value: 0 }, { value: 1 }];
  // m + (1 − β)·(g − m), which leaves m unchanged if g equals m.
  const towards = (mean: Assignment["target"], beta: number) =>
    [
      ["subtract", mean],
      ["multiply", { value: 1 - beta }],
      ["add", mean],
    ] as const;
  return {
    assignments: [
      gradientDecay === 0
        ? { target: first, from: gradient, operations: towards(first, beta1) }
        : { target: first, from: value, operations: [...decayed, ...towards(first, beta1)] },
      gradientDecay === 0
        ? { target: second, from: gradient, operations: [["multiply", gradient], ...towards(second, beta2)] }
        : { target: second, from: value, operations: [...decayed, ["square"], ...towards(second, beta2)] },
      {
        target: value,
        from: second,
        operations: [
          ["multiply", correction],
          ["squareRoot"],
          ["add", { value: epsilon }],
          ["reciprocal"],
          ["multiply", first],
          ["multiply", rate],
          ["add", value],
          ...(keptShare ? [["multiply", kept] as const] : []),
        ],
      },
    ],
    set({ learningRate, step }) {
      kept.value = keptShare?.(learningRate) ?? 1;
      rate.value = -learningRate / (1 - beta1 ** step) / kept.value;
      correction.value = 1 / (1 - beta2 ** step);
    },
  };
}
