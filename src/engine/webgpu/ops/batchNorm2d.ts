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

/** Parts of the pixels of a batch whose sums are computed by one thread per channel, then added in order. */
const PARTS = 256;
/** Terms that are added before their sum is added to that of the part: fewer roundings than one long sum. */
const RUN = 64;

/** Adds Σ of `terms` of `x`, for each channel `c` over all pixels of the batch, in parts. Returns their buffer, [part][term][channel]. */
function addSums(
  context: BuildContext,
  { channels, height, width }: FeatureMap,
  operands: readonly Named[],
  terms: readonly string[],
): PlannedBuffer {
  const parts = context.plan.buffer(4 * PARTS * terms.length * channels);
  const each = (text: (term: string, j: number) => string) => terms.map(text).join(" ");
  addCount(context, WORK, [...operands, write("parts", parts)], {
    count: PARTS * channels,
    body: `if (step.training == 0u) { return; }
  let c = i % ${channels}u; let rows = step.images * ${height * width}u; let size = (rows + ${PARTS - 1}u) / ${PARTS}u;
  var row = i / ${channels}u * size; let last = min(rows, row + size);
  ${each((_, j) => `var s${j} = 0.0;`)}
  for (; row < last;) {
    ${each((_, j) => `var t${j} = 0.0;`)}
    let end = min(last, row + ${RUN}u);
    for (; row < end; row++) { let at = row * ${channels}u + c; ${each((term, j) => `t${j} += ${term};`)} }
    ${each((_, j) => `s${j} += t${j};`)}
  }
  ${each((_, j) => `parts[i / ${channels}u * ${terms.length * channels}u + ${j * channels}u + c] = s${j};`)}`,
  });
  return parts;
}

/** Adds a kernel for each channel `i`, to which `total(term)` is the sum of a term over all parts, and `n` the number of values. */
function addTotals(
  context: BuildContext,
  { channels, height, width }: FeatureMap,
  parts: PlannedBuffer,
  terms: number,
  operands: readonly Named[],
  body: string,
): void {
  addCount(context, WORK, [read("parts", parts), ...operands], {
    count: channels,
    helpers: `fn total(c: u32) -> f32 {
  var sum = 0.0;
  for (var part = 0u; part < ${PARTS}u; part++) { sum += parts[part * ${terms * channels}u + c]; }
  return sum;
}`,
    body: `let n = f32(step.images * ${height * width}u); ${body}`,
  });
}

/** A running statistic's new value, and the pass's value; `batch` is that of the batch, `kept` what is averaged. */
const running = (momentum: number, batch: string, kept: string) => `var value = running[i];
  if (step.training == 1u) {
    ${batch}
    running[i] = ${float(1 - momentum)} * running[i] + ${float(momentum)} * ${kept};
  }
  values[i] = value;`;

export const buildBatchNorm2d: Builder<"batchNorm2d"> = (context, op, input, { next, needsInputGradient }) => {
  const { eps, momentum, affine } = op.options;
  const { channels, height, width, buffer } = input;
  const parameter = (role: Parameters<BuildContext["parameter"]>[1]) =>
    context.parameter(op.name, role, vectorLayout(channels));
  const [weight, bias] = affine ? [parameter("weight"), parameter("bias")] : [];
  const [runningMean, runningVariance] = [parameter("running_mean").value, parameter("running_var").value];
  const usesBatch = context.usesBatchStatistics(op.name);
  const vector = (count = 1) => context.plan.buffer(4 * count * channels);
  const [mean, variance] = usesBatch ? [vector(), vector()] : [runningMean, runningVariance];
  const [xs, means, variances] = [read("xs", buffer), read("mean", mean), read("variance", variance)];
  if (usesBatch) {
    context.checkTraining((images) => requireSeveral(op.name, images * height * width));
    const statistic = (
      batch: string,
      unbiased: string,
      term: string,
      centre: readonly Named[],
      of: typeof mean,
      kept: typeof mean,
    ) =>
      addTotals(
        context,
        input,
        addSums(context, input, [xs, ...centre], [term]),
        1,
        [write("running", kept), write("values", of)],
        running(momentum, batch, unbiased),
      );
    statistic("value = total(i) / n;", "value", "xs[at]", [], mean, runningMean);
    const square = "(xs[at] - mean[c]) * (xs[at] - mean[c])";
    statistic("let sum = total(i); value = sum / n;", "(sum / (n - 1.0))", square, [means], variance, runningVariance);
  }
  const relu = isFused(next);
  const output = mapOf(context, input, relu);
  const factor = `let c = i % ${channels}u; let r = 1.0 / sqrt(variance[c] + ${float(eps)}); let scale = ${affine ? "weight[c] * r" : "r"};`;
  const scaled = weight ? [read("weight", weight.value)] : [];
  const sum = `(xs[i] - mean[c]) * scale${affine ? " + bias[c]" : ""}`;
  addElements(
    context,
    WORK,
    [xs, means, variances, ...scaled, ...(bias ? [read("bias", bias.value)] : []), write("ys", output.buffer)],
    {
      each: sizeOfMap(input),
      body: `${factor} ys[i] = ${relu ? `max(${sum}, 0.0)` : sum};`,
    },
  );
  return {
    output,
    covers: relu ? 2 : 1,
    backward(gradient) {
      const dy = read("dy", gradient.buffer);
      const slopes = usesBatch ? vector(2) : undefined;
      if (slopes) {
        const parts = addSums(context, input, [xs, means, dy], ["dy[at]", "dy[at] * (xs[at] - mean[c])"]);
        const learned =
          weight?.gradient && bias?.gradient ? [write("dw", weight.gradient), write("db", bias.gradient)] : [];
        addTotals(
          context,
          input,
          parts,
          2,
          [variances, write("slopes", slopes), ...learned],
          `let r = 1.0 / sqrt(variance[i] + ${float(eps)}); let m = total(i); let s = total(i + ${channels}u);
  slopes[i] = m / n; slopes[i + ${channels}u] = s / n * r * r;
  ${learned.length > 0 ? "dw[i] = s * r; db[i] = m;" : ""}`,
        );
      }
      if (!needsInputGradient) return undefined;
      const operands = [xs, means, variances, ...scaled, dy, ...(slopes ? [read("slopes", slopes)] : [])];
      const change = slopes ? ` - slopes[c] - (xs[i] - mean[c]) * slopes[c + ${channels}u]` : "";
      return addGradient(context, WORK, input, operands, { body: `${factor} let sum = scale * (dy[i]${change});` });
    },
  };
};
