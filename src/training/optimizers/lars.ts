/** LARS: SGD with a learning rate of its own for each tensor. */
import * as z from "zod/mini";
import { belowOne, nonnegative, positive } from "../../schema.ts";
import type { Norms, OptimizerKind } from "./optimizerKind.ts";
import { type Sgd, sgd } from "./sgd.ts";

/**
 * Layer-wise adaptive rate scaling. With w the values of a tensor, g its gradient, ε learning rate, m momentum, λ decay, η `trustCoefficient`:
 * r ← η·‖w‖ / (‖g‖ + λ·‖w‖); v ← m·v − ε·r·(g + λ·w); w ← w + v. A step thus changes each tensor by a fraction of its size that does not depend on the
 * size of its gradient. As in the authors' program, r is 1 if ‖w‖ or ‖g‖ is 0, such as for biases that begin at 0, and weights and biases have rates of
 * their own.
 *
 * Source: You, Gitman, Ginsburg 2017, “Large Batch Training of Convolutional Networks” (1708.03888), algorithm 1, with v of opposite sign; NVIDIA's
 * branch of Caffe, `GetLocalRate`. Momentum, decay and η are those of the paper's section 5.
 */
export const larsSchema = z.strictObject({
  kind: z.literal("lars"),
  momentum: z._default(belowOne, 0.9),
  weightDecay: z._default(nonnegative, 0.0005),
  trustCoefficient: z._default(positive, 0.001),
});

export type Lars = z.infer<typeof larsSchema>;

export const lars: OptimizerKind<Lars> = {
  schema: larsSchema,
  readsNorms: true,
  state: (options) => sgd.state(asSgd(options)),
  step(options, tensors, weightDecay) {
    const { assignments, set } = sgd.step(asSgd(options), tensors, weightDecay);
    return {
      assignments,
      set(place) {
        const factor = localFactor(options.trustCoefficient, place.norms, weightDecay);
        set({ ...place, learningRate: place.learningRate * factor });
      },
    };
  },
  describe: ({ momentum, weightDecay, trustCoefficient }) =>
    `LARS, trust coefficient ${trustCoefficient}, momentum ${momentum}, decay ${weightDecay}`,
};

/** The paper's form of SGD, whose velocity contains the rates too. */
function asSgd({ momentum, weightDecay }: Lars): Sgd {
  return { kind: "sgd", form: "paper", momentum, weightDecay };
}

function localFactor(trustCoefficient: number, norms: Norms | undefined, weightDecay: number): number {
  if (!norms) throw new Error("lars: expected norms");
  const { value, gradient } = norms;
  if (value === 0 || gradient === 0) return 1;
  return (trustCoefficient * value) / (gradient + weightDecay * value);
}
