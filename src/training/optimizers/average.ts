/** Weights averaged over training, with which the network is evaluated. */
import type { Assignment, Scalar, Tensor, TrainingProgram } from "../../engine/engine.ts";

/**
 * How much of the average is kept at a step, from 1 on: an exponential moving average, e ← d·e + (1 − d)·w after each step, with
 * d = min(`decay`, n / (n + 9)) where n weights were averaged before, so that the average of a short run does not hold on to its first weights.
 *
 * Source: Polyak and Juditsky 1992; the growing decay as in TensorFlow's `ExponentialMovingAverage` with `num_updates`, the first weights taken as
 * they are as in torch.optim.swa_utils.AveragedModel.
 */
export function averageDecay(decay: number, step: number): number {
  return Math.min(decay, (step - 1) / (step + 8));
}

/** average ← average + share·(value − average). */
export function towards(average: Tensor, value: Tensor, share: Scalar): Assignment {
  return {
    target: average,
    from: value,
    operations: [
      ["subtract", average],
      ["multiply", share],
      ["add", average],
    ],
  };
}

/**
 * For one parameter: `start` makes its value the average; `enter` gives the program the average in place of the value, and `leave` gives the value
 * back to the bit. In between the gradient's place holds the value.
 */
export function averaging(program: TrainingProgram, average: Tensor, value: Tensor, gradient: Tensor) {
  const copy = (target: Tensor, from: Tensor): Assignment => ({
    target,
    from,
    operations: [["multiply", { value: 1 }]],
  });
  return {
    start: program.compileUpdate([copy(average, value)]),
    enter: program.compileUpdate([copy(gradient, value), copy(value, average)]),
    leave: program.compileUpdate([copy(value, gradient)]),
  };
}
