import { z } from "zod";
import type { Tensor, TrainingProgram } from "../engine/engine.ts";

/**
 * Stochastic gradient descent with momentum and weight decay. With w weights, v velocity, g gradient, ε learning rate, m momentum, λ decay:
 *
 * - `paper`: v ← m·v − ε·λ·w − ε·g; w ← w + v. Source: Krizhevsky et al. 2012, §5.
 * - `pytorch`: v ← m·v + λ·w + g; w ← w − ε·v. Source: torch.optim.SGD.
 *
 * At a constant rate both make the same steps. They differ when the rate changes: the paper's velocity carries the rate of the steps that
 * built it, so a lower rate sets in over about 1 / (1 − m) steps; PyTorch's velocity is rescaled at once.
 */
export const sgdSchema = z.strictObject({
  kind: z.literal("sgd").default("sgd"),
  form: z.enum(["paper", "pytorch"]).default("paper"),
  momentum: z.number().min(0).lt(1).default(0),
  weightDecay: z.number().min(0).default(0),
});

export type Sgd = z.infer<typeof sgdSchema>;

/** A parameter with its velocity and the factors on its learning rate and decay. */
export interface SgdTarget {
  readonly value: Tensor;
  readonly gradient: Tensor;
  /** Absent without momentum. */
  readonly velocity: Tensor | undefined;
  readonly learningRateFactor: number;
  readonly weightDecayFactor: number;
}

/** One step of one parameter, in the engine's own layout. */
export function updateSgd(
  program: Pick<TrainingProgram, "combine">,
  sgd: Sgd,
  learningRate: number,
  target: SgdTarget,
): void {
  const { value, gradient, velocity } = target;
  const rate = learningRate * target.learningRateFactor;
  const decay = sgd.weightDecay * target.weightDecayFactor;
  if (!velocity) {
    const terms = [[1 - rate * decay, value] as const, [-rate, gradient] as const];
    program.combine([{ target: value, terms }]);
    return;
  }
  const scale = sgd.form === "paper" ? -rate : 1;
  const terms = [[sgd.momentum, velocity] as const, [scale, gradient] as const];
  const step = [[1, value] as const, [sgd.form === "paper" ? 1 : -rate, velocity] as const];
  program.combine([
    { target: velocity, terms: decay === 0 ? terms : [...terms, [scale * decay, value]] },
    { target: value, terms: step },
  ]);
}
