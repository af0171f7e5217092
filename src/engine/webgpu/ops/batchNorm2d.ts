/**
 * Batch normalization: y = (x − mean) · r · w + b with r = 1 / √(variance + eps); in training by statistics of the batch, otherwise by running ones.
 * Backward, with m = mean of dy and s = mean of dy · (x − mean), both 0 for running statistics: dx = w · r · (dy − m − (x − mean) · r² · s).
 */
import { requireSeveral } from "../../runningStatistics.ts";
import { float } from "../kernels/wgsl.ts";
import type { PlannedBuffer } from "../plan.ts";
import { vectorLayout } from "../weights.ts";
import { isFused } from "./activations.ts";
import {
  addCount,
  addElements,
  addGradient,
  type BuildContext,
  type Builder,
  type FeatureMap,
  mapOf,
  type Named,
  read,
  sizeOfMap,
  write,
} from "./op.ts";

const WORK = "normalization";

/** Parts of the pixels of a batch: a thread for each part and channel, whose sums are added in order. About as many as pixels in a part of a large map. */
const PARTS = 512;

/** The sum of `term`, a vec4f, for each channel `c` over all pixels `at` of the batch; then `body` for each channel `c`, with the sum in `s`. */
interface Reduction {
  readonly operands: readonly Named[];
  readonly term: string;
  readonly results: readonly Named[];
  /** `n` is the number of values of a channel. */
  readonly body: string;
}

/** Adds two kernels: sums of parts, and what follows from them. The first does nothing at evaluation. */
function addReduction(
  context: BuildContext,
  { channels, height, width }: FeatureMap,
  { operands, term, results, body }: Reduction,
): void {
  const parts = context.plan.buffer(16 * PARTS * channels);
  const values = `step.images * ${height * width}`;
  addCount(context, WORK, [...operands, write("parts", parts, "vec4f")], {
    count: PARTS * channels,
    body: `if (step.training == 0) { return; }
  let c = i % ${channels}; let size = (${values} + ${PARTS - 1}) / ${PARTS};
  var s = vec4f();
  for (var row = i / ${channels} * size; row < min(${values}, (i / ${channels} + 1) * size); row++) { let at = row * ${channels} + c; s += ${term}; }
  parts[i] = s;`,
  });
  addCount(context, WORK, [read("parts", parts, "vec4f"), ...results], {
    count: channels,
    body: `let c = i; let n = f32(${values});
  var s = vec4f();
  for (var part = 0u; part < ${PARTS}; part++) { s += parts[part * ${channels} + c]; }
  ${body}`,
  });
}

export const buildBatchNorm2d: Builder<"batchNorm2d"> = (context, op, input, { next, needsInputGradient }) => {
  const { eps, momentum, affine } = op.options;
  const { channels, height, width, buffer } = input;
  const layout = vectorLayout(channels);
  const parameter = (role: Parameters<BuildContext["parameter"]>[1]) => context.parameter(op.name, role, layout);
  const [weight, bias] = affine ? [parameter("weight"), parameter("bias")] : [];
  const running = [parameter("running_mean").value, parameter("running_var").value] as const;
  const usesBatch = context.usesBatchStatistics(op.name);
  const [mean, variance] = usesBatch
    ? [context.plan.buffer(layout.length * 4), context.plan.buffer(layout.length * 4)]
    : running;
  const [xs, means, variances] = [read("xs", buffer), read("mean", mean), read("variance", variance)];
  if (usesBatch) {
    context.checkTraining((images) => requireSeveral(op.name, images * height * width));
    // The value of the pass, and the estimate that is averaged: a variance of n values is divided by n − 1.
    const add = (
      operands: readonly Named[],
      term: string,
      to: PlannedBuffer,
      average: PlannedBuffer,
      estimate: string,
    ) =>
      addReduction(context, input, {
        operands,
        term: `vec4f(${term})`,
        results: [write("running", average), write("values", to)],
        body: `var value = running[c];
  if (step.training == 1) {
    value = s.x / n;
    running[c] = ${float(1 - momentum)} * running[c] + ${float(momentum)} * ${estimate};
  }
  values[c] = value;`,
      });
    add([xs], "xs[at]", mean, running[0], "value");
    add([xs, means], "(xs[at] - mean[c]) * (xs[at] - mean[c])", variance, running[1], "s.x / (n - 1.0)");
  }
  const relu = isFused(next);
  const output = mapOf(context, input, relu);
  const r = `let r = 1 / sqrt(variance[c] + ${float(eps)});`;
  const factor = `let c = i % ${channels}; ${r} let scale = r${weight ? " * weight[c]" : ""}; let x = xs[i] - mean[c];`;
  const scaled = [xs, means, variances, ...(weight ? [read("weight", weight.value)] : [])];
  const shift = bias ? [read("bias", bias.value)] : [];
  addElements(context, WORK, [...scaled, ...shift, write("ys", output.buffer)], {
    each: sizeOfMap(input),
    body: `${factor} let y = x * scale${bias ? " + bias[c]" : ""}; ys[i] = ${relu ? "max(y, 0)" : "y"};`,
  });
  return {
    output,
    covers: relu ? 2 : 1,
    backward(gradient) {
      const dy = read("dy", gradient.buffer);
      const slopes = context.plan.buffer(16 * channels);
      const [dw, db] = [weight?.gradient, bias?.gradient];
      if (usesBatch) {
        addReduction(context, input, {
          operands: [xs, means, dy],
          term: "dy[at] * vec4f(1, xs[at] - mean[c], 0, 0)",
          results: [
            variances,
            write("slopes", slopes, "vec4f"),
            ...(dw && db ? [write("dw", dw), write("db", db)] : []),
          ],
          body: `${r} slopes[c] = s * vec4f(1, r * r, 0, 0) / n; ${dw ? "dw[c] = s.y * r; db[c] = s.x;" : ""}`,
        });
      }
      if (!needsInputGradient) return undefined;
      return addGradient(
        context,
        WORK,
        input,
        [...scaled, dy, ...(usesBatch ? [read("slopes", slopes, "vec4f")] : [])],
        {
          body: `${factor} let sum = scale * (dy[i]${usesBatch ? " - slopes[c].x - x * slopes[c].y" : ""});`,
        },
      );
    },
  };
};
