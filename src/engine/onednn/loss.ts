import { DataError } from "../../errors.ts";
import type { Plan, Value } from "./plan.ts";

/** The loss of the run before, read after its steps. */
export interface LossSteps {
  /** Gradient of the loss by the logits. */
  readonly gradient: Value;
  /**
   * Takes the labels of the first `count` rows; rows behind them get no gradient. To be called before the steps run.
   *
   * Throws DataError for a label that is no class.
   */
  setLabels(labels: ArrayLike<number>, count: number): void;
  /** The mean loss over those rows. */
  loss(): number;
}

/**
 * Softmax with cross-entropy averaged over the rows: loss = −mean log p[label], from the logarithm of softmax, which does not
 * overflow; its gradient is (p − onehot) / count.
 *
 * Shapes: logits [N, classes].
 */
export function addSoftmaxCrossEntropy(plan: Plan, logits: Value): LossSteps {
  const { session } = plan;
  const classes = logits.dims[1] as number;
  plan.enter("loss", "forward");
  const forward = session.logSoftmaxForward(logits.desc);
  const logProbabilities = plan.value(logits.dims, logits.desc);
  const target = plan.value(logits.dims, logits.desc);
  const gradient = plan.value(logits.dims, logits.desc);
  plan.add("loss", forward, [
    ["src", logits],
    ["dst", logProbabilities],
  ]);
  plan.enter("loss", "backwardData");
  plan.add("loss", session.logSoftmaxBackward(gradient.desc, logits.desc, forward), [
    ["dst", logProbabilities],
    ["diffDst", target],
    ["diffSrc", gradient],
  ]);
  plan.keep(logProbabilities);
  plan.keep(target);
  let labelled: { labels: ArrayLike<number>; count: number } = { labels: [], count: 0 };
  let views: { logProbabilities: Float32Array; target: Float32Array } | undefined;
  const ready = () => {
    views ??= { logProbabilities: plan.view(logProbabilities), target: plan.view(target) };
    return views;
  };
  return {
    gradient,
    setLabels(labels, count) {
      labelled = { labels, count };
      const onehot = ready().target.fill(0);
      for (let row = 0; row < count; row++) {
        const label = labels[row];
        if (label === undefined || !Number.isInteger(label) || label < 0 || label >= classes) {
          throw new DataError(`label of image ${row}: expected a class from 0 to ${classes - 1}, got ${label}`);
        }
        onehot[row * classes + label] = -1 / count;
      }
    },
    loss() {
      const { labels, count } = labelled;
      const values = ready().logProbabilities;
      let sum = 0;
      for (let row = 0; row < count; row++) sum -= values[row * classes + (labels[row] as number)] as number;
      return sum / count;
    },
  };
}
