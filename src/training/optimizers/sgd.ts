/** SGD with momentum and weight decay, in the paper's form, PyTorch's and Nesterov's. */
import * as z from "zod/mini";
import type { Assignment, Scalar, Tensor } from "../../engine/engine.ts";
import { belowOne, nonnegative } from "../../schema.ts";
import type { OptimizerKind, OptimizerTensors, ParameterStep } from "./optimizerKind.ts";

/**
 * Stochastic gradient descent with momentum and weight decay. With w weights, v velocity, g gradient, ε learning rate, m momentum, λ decay:
 *
 * - `paper`: v ← m·v − ε·λ·w − ε·g; w ← w + v. Source: Krizhevsky et al. 2012, §5.
 * - `pytorch`: v ← m·v + λ·w + g; w ← w − ε·v. Source: torch.optim.SGD.
 * - `nesterov`: v ← m·v + λ·w + g; w ← w − ε·(λ·w + g + m·v). Source: torch.optim.SGD with `nesterov`, after Sutskever et al. 2013.
 *
 * At a constant learning rate the first two take the same steps. They differ when it changes: the paper's velocity contains the rates of earlier
 * steps, so a lower rate takes effect over about 1 / (1 − m) steps. PyTorch's velocity is rescaled at once.
 */
export const sgdSchema = z
  .strictObject({
    kind: z._default(z.literal("sgd"), "sgd"),
    form: z._default(z.enum(["paper", "pytorch", "nesterov"]), "paper"),
    momentum: z._default(belowOne, 0),
    weightDecay: z._default(nonnegative, 0),
  })
  .check(
    z.refine(({ form, momentum }) => form !== "nesterov" || momentum > 0, {
      error: "expected more than 0 for Nesterov's form, such as 0.9",
      path: ["momentum"],
    }),
  );

export type Sgd = z.infer<typeof sgdSchema>;

export const sgd: OptimizerKind<Sgd> = {
  schema: sgdSchema,
  readsNorms: false,
  state: ({ momentum }) => (momentum > 0 ? ["velocity"] : []),
  step(options, tensors, weightDecay) {
    const [velocity] = tensors.state;
    return velocity
      ? withVelocity[options.form](tensors, velocity, options.momentum, weightDecay)
      : plain(tensors, weightDecay);
  },
  describe: ({ form, momentum, weightDecay }) => `SGD, ${form} form, momentum ${momentum}, decay ${weightDecay}`,
};

/** Sets a scalar to −ε / divisor. */
function minusRateIn(scalar: Scalar, divisor = 1): ParameterStep["set"] {
  return ({ learningRate }) => {
    scalar.value = -learningRate / divisor;
  };
}

/** w ← w − ε·(λ·w + g). */
function plain({ value, gradient }: OptimizerTensors, weightDecay: number): ParameterStep {
  const rate: Scalar = { value: 0 };
  const minusRate = [
    ["multiply", rate],
    ["add", value],
  ] as const;
  const assignment: Assignment =
    weightDecay === 0
      ? { target: value, from: gradient, operations: minusRate }
      : {
          target: value,
          from: value,
          operations: [["multiply", { value: weightDecay }], ["add", gradient], ...minusRate],
        };
  return { assignments: [assignment], set: minusRateIn(rate) };
}

type WithVelocity = (
  tensors: OptimizerTensors,
  velocity: Tensor,
  momentum: number,
  weightDecay: number,
) => ParameterStep;

/** Computes sums as (x / m + v)·m, since each operation of an update acts on the result so far. */
const withVelocity: { readonly [F in Sgd["form"]]: WithVelocity } = {
  paper({ value, gradient }, velocity, momentum, weightDecay) {
    const rate: Scalar = { value: 0 };
    const rest = [
      ["multiply", rate],
      ["add", velocity],
      ["multiply", { value: momentum }],
    ] as const;
    return {
      assignments: [
        weightDecay === 0
          ? { target: velocity, from: gradient, operations: rest }
          : {
              target: velocity,
              from: value,
              operations: [["multiply", { value: weightDecay }], ["add", gradient], ...rest],
            },
        { target: value, from: value, operations: [["add", velocity]] },
      ],
      set: minusRateIn(rate, momentum),
    };
  },
  pytorch({ value, gradient }, velocity, momentum, weightDecay) {
    const rate: Scalar = { value: 0 };
    return {
      assignments: [
        accumulate({ value, gradient }, velocity, momentum, weightDecay),
        {
          target: value,
          from: velocity,
          operations: [
            ["multiply", rate],
            ["add", value],
          ],
        },
      ],
      set: minusRateIn(rate),
    };
  },
  nesterov({ value, gradient }, velocity, momentum, weightDecay) {
    const rate: Scalar = { value: 0 };
    const m: Scalar = { value: momentum };
    const rest = [
      ["multiply", m],
      ["add", gradient],
      ["multiply", rate],
      ["add", value],
    ] as const;
    const decay: Scalar = { value: weightDecay / momentum };
    return {
      assignments: [
        accumulate({ value, gradient }, velocity, momentum, weightDecay),
        weightDecay === 0
          ? { target: value, from: velocity, operations: rest }
          : { target: value, from: value, operations: [["multiply", decay], ["add", velocity], ...rest] },
      ],
      set: minusRateIn(rate),
    };
  },
};

/** v ← m·v + λ·w + g. */
function accumulate(
  { value, gradient }: Pick<OptimizerTensors, "value" | "gradient">,
  velocity: Tensor,
  momentum: number,
  weightDecay: number,
): Assignment {
  const m: Scalar = { value: momentum };
  if (weightDecay === 0)
    return {
      target: velocity,
      from: velocity,
      operations: [
        ["multiply", m],
        ["add", gradient],
      ],
    };
  const operations: Assignment["operations"] = [
    ["multiply", { value: weightDecay }],
    ["add", gradient],
    ["multiply", { value: 1 / momentum }],
    ["add", velocity],
    ["multiply", m],
  ];
  return { target: velocity, from: value, operations };
}
