/** The loss of a network in f64, by the reference engine's arithmetic, as a function of its parameters. */
import type { Shape } from "../../shape.ts";
import type { AnyOp, DropoutDraws } from "../engine.ts";
import { Chain, type ChainParameter } from "../reference/chain.ts";
import { softmaxCrossEntropy } from "../reference/softmaxCrossEntropy.ts";

/** Images and targets of a loss: [count, …inputShape] and [count, classes]. */
export interface LossInput {
  readonly images: Float32Array;
  readonly targets: Float32Array;
  readonly count: number;
  readonly draws: DropoutDraws;
}

/** A loss whose parameters may be written. */
export interface ExactLoss {
  /** Parameters of each operation. */
  readonly parameters: readonly (readonly ChainParameter[])[];
  /** Mean cross-entropy, with dropout active; recomputes operation `first` and those after it. Call it once with 0 before any other. */
  from(first: number): number;
}

/** Creates the loss of a chain of operations that ends in one value per class. */
export function createExactLoss(
  ops: readonly AnyOp[],
  inputShape: Shape,
  { images, targets, count, draws }: LossInput,
): ExactLoss {
  const chain = new Chain(ops, inputShape, count);
  const size = images.length / count;
  const classes = targets.length / count;
  const gradient = new Float64Array(classes);
  const rows = Array.from({ length: count }, (_, row) => row);
  const draw = (row: number) => ({ training: true, seed: draws.seed, counter: draws.first + row });
  return {
    parameters: chain.parameters,
    from(first) {
      let sum = 0;
      if (first === 0) {
        for (const row of rows) chain.activations[row]?.[0]?.set(images.subarray(row * size, (row + 1) * size));
      }
      chain.forwardFrom(first, rows, draw);
      for (const row of rows) {
        const logits = chain.activations[row]?.at(-1) as Float64Array;
        sum += softmaxCrossEntropy(logits, targets.subarray(row * classes, (row + 1) * classes), 1, gradient);
      }
      return sum / count;
    },
  };
}
