/** Softmax cross-entropy as steps of a plan. */
import { ShapeError } from "../../errors.ts";
import type { Plan, Value } from "./plan.ts";

/** The loss of the last run. */
export interface LossSteps {
  /** Gradient of the loss by the logits. */
  readonly gradient: Value;
  /**
   * Sets the targets of the first `count` rows; later rows get no gradient. Call it before the steps run.
   *
   * Throws ShapeError if there are fewer.
   */
  setTargets(targets: Float32Array, count: number): void;
  /** The mean loss over those rows. */
  loss(): number;
}

/**
 * Softmax with cross-entropy averaged over the rows: loss = −Σ t · log p / count, from the logarithm of softmax, which does not
 * overflow; its gradient is (p · Σ t − t) / count, with the sum over a row's classes.
 *
 * Shapes: logits and t [N, classes].
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
  let views: { logProbabilities: Float32Array; target: Float32Array } | undefined;
  const ready = () => {
    views ??= { logProbabilities: plan.view(logProbabilities), target: plan.view(target) };
    return views;
  };
  return { gradient, ...hostSide(classes, ready) };
}

/** The part of the loss that JavaScript computes: scaled targets before the steps, the mean after them. */
function hostSide(
  classes: number,
  ready: () => { readonly logProbabilities: Float32Array; readonly target: Float32Array },
): Omit<LossSteps, "gradient"> {
  let given: { readonly targets: Float32Array; readonly count: number } | undefined;
  return {
    setTargets(targets, count) {
      const length = count * classes;
      if (targets.length < length) {
        throw new ShapeError(`targets: expected ${count} rows of ${classes} classes, got ${targets.length} values`);
      }
      given = { targets, count };
      const scaled = ready().target;
      for (let i = 0; i < length; i++) scaled[i] = -(targets[i] as number) / count;
      scaled.fill(0, length);
    },
    loss() {
      if (!given) throw new Error("loss: expected targets before it");
      const { targets, count } = given;
      const logs = ready().logProbabilities;
      let sum = 0;
      for (let i = 0; i < count * classes; i++) {
        const t = targets[i] as number;
        if (t !== 0) sum -= t * (logs[i] as number);
      }
      return sum / count;
    },
  };
}
