/** Batch normalization by the library's primitive: by statistics of the batch in training, by running statistics otherwise. */
import type { Op } from "../../engine.ts";
import { requireSeveral, towards, unbiased } from "../../runningStatistics.ts";
import type { BatchNorm, Role } from "../native/oneDnn.ts";
import { firstImages } from "../parts.ts";
import type { Kernel, Value } from "../plan.ts";
import { type BuildContext, type Builder, whole } from "./op.ts";

type Arguments = readonly (readonly [Role, Value])[];

/** An operation with its tensors. Statistics of the batch are values of the plan. */
interface Norm {
  readonly context: BuildContext;
  readonly op: Op<"batchNorm2d">;
  readonly input: Value;
  readonly output: Value;
  /** Scale and shift; empty without them. */
  readonly scaleShift: Arguments;
  readonly running: Arguments;
  readonly batch: Arguments;
  /** The running statistics in memory. */
  readonly runningValues: readonly (() => Float32Array)[];
}

/**
 * A training program chooses a primitive at each run: by running statistics at evaluation, otherwise by those of as many images as the batch has. The rows
 * of missing images become 0. Inference and frozen operations have the first primitive only.
 */
export const buildBatchNorm2d: Builder<"batchNorm2d"> = (context, op, input) => {
  const { plan, batchSize, training, run } = context;
  const dims = [input.dims[1] as number];
  const layout = plan.session.plain(dims, "f32");
  const parameter = (role: Parameters<BuildContext["parameter"]>[1]) =>
    context.parameter(op.name, role, dims, layout, whole);
  const [weight, bias] = op.options.affine ? [parameter("weight"), parameter("bias")] : [];
  const [mean, variance] = [parameter("running_mean"), parameter("running_var")];
  const norm: Norm = {
    context,
    op,
    input,
    output: plan.value(input.dims, input.desc),
    scaleShift: weight && bias ? [["scale", weight.value] as const, ["shift", bias.value] as const] : [],
    running: statistics(mean.value, variance.value),
    batch: statistics(plan.value(dims, layout), plan.value(dims, layout)),
    runningValues: [mean.values, variance.values],
  };
  const usesBatch = training && !context.isFrozen(op.name);
  if (usesBatch) addBatchForward(norm);
  else addKernel(norm, forwardKernel(norm, undefined, training));
  return {
    output: norm.output,
    covers: 1,
    backward(outputGradient, needed) {
      if (!needed && !weight?.gradient) return undefined;
      // Computed with scales in any case, wanted or not.
      const gradientOf = (gradient: Value | undefined) => gradient ?? plan.value(dims, layout);
      const gradients: Arguments = weight
        ? [
            ["diffScale", gradientOf(weight.gradient)],
            ["diffShift", gradientOf(bias?.gradient)],
          ]
        : [];
      const gradient = plan.inLayout(outputGradient, norm.output.desc);
      const inputGradient = plan.value(input.dims, input.desc);
      const kernel = kernelsByCount((count) => backwardKernel(norm, count, gradient, inputGradient, gradients));
      if (usesBatch) {
        plan.addChosen("batchNorm", [kernel(batchSize)], () => kernel(run.count));
        addClearedRows(norm, inputGradient);
      } else addKernel(norm, kernel(undefined));
      return inputGradient;
    },
  };
};

const statistics = (mean: Value, variance: Value): Arguments => [
  ["mean", mean],
  ["variance", variance],
];

function addKernel({ context }: Norm, { primitiveDesc, args }: Kernel): void {
  context.plan.add("batchNorm", primitiveDesc, args);
}

/** The forward pass of training: the statistics of the batch, the running ones, and rows of zeros. */
function addBatchForward(norm: Norm): void {
  const { context, op, input, output, batch, runningValues } = norm;
  const { plan, batchSize, run } = context;
  const evaluation = forwardKernel(norm, undefined, false);
  const ofBatch = kernelsByCount((count) => forwardKernel(norm, count, true));
  const valuesPerChannel = () => run.count * input.dims.slice(2).reduce((product, extent) => product * extent, 1);
  plan.addChosen("batchNorm", [evaluation, ofBatch(batchSize)], () => {
    if (!run.isTraining) return evaluation;
    requireSeveral(op.name, valuesPerChannel());
    return ofBatch(run.count);
  });
  const values = batch.map(([, value]) => value);
  let views: readonly [batch: Float32Array, running: Float32Array][] | undefined;
  plan.addCall(() => {
    if (!run.isTraining) return;
    views ??= values.map((value, i) => [plan.view(value), (runningValues[i] as () => Float32Array)()]);
    const [mean, variance] = views as [(typeof views)[number], (typeof views)[number]];
    const count = valuesPerChannel();
    for (let c = 0; c < mean[0].length; c++) {
      towards(mean[1], c, mean[0][c] as number, op.options.momentum);
      towards(variance[1], c, unbiased(variance[0][c] as number, count), op.options.momentum);
    }
  }, values);
  addClearedRows(norm, output);
}

/** Kernels by the number of images; undefined is for running statistics. Each is created at its first use. */
function kernelsByCount<C extends number | undefined>(create: (count: C) => Kernel): (count: C) => Kernel {
  const created = new Map<C, Kernel>();
  return (count) => {
    const kernel = created.get(count) ?? create(count);
    created.set(count, kernel);
    return kernel;
  };
}

/** The first `count` images of a value. */
function imagesOf({ context }: Norm, value: Value, count = context.batchSize): Value {
  return count === context.batchSize ? value : firstImages(context.plan.session, value, count);
}

function optionsOf({ op, scaleShift }: Norm, usesBatch: boolean): BatchNorm {
  return { eps: op.options.eps, usesBatch, scales: scaleShift.length > 0 };
}

function forwardKernel(norm: Norm, count: number | undefined, training: boolean): Kernel {
  const { context, input, output, scaleShift, running, batch } = norm;
  const [src, dst] = [imagesOf(norm, input, count), imagesOf(norm, output, count)];
  const usesBatch = count !== undefined;
  return {
    primitiveDesc: context.plan.session.batchNormForward(src.desc, optionsOf(norm, usesBatch), training),
    args: [["src", src], ["dst", dst], ...(usesBatch ? batch : running), ...scaleShift],
  };
}

function backwardKernel(
  norm: Norm,
  count: number | undefined,
  gradient: Value,
  inputGradient: Value,
  gradients: Arguments,
): Kernel {
  const { context, input, scaleShift, running, batch } = norm;
  const usesBatch = count !== undefined;
  const [src, diffDst, diffSrc] = [input, gradient, inputGradient].map((value) => imagesOf(norm, value, count)) as [
    Value,
    Value,
    Value,
  ];
  const { session } = context.plan;
  const options = optionsOf(norm, usesBatch);
  const forward = session.batchNormForward(src.desc, options, true);
  const primitiveDesc = session.batchNormBackward(src.desc, options, forward);
  const inputs: Arguments = [["src", src], ["diffDst", diffDst], ...(usesBatch ? batch : running), ...scaleShift];
  // Versions differ in whether they read the shift, the last one.
  return {
    primitiveDesc,
    args: [...inputs.slice(0, session.inputCount(primitiveDesc)), ["diffSrc", diffSrc], ...gradients],
  };
}

/** Sets the rows after the images of a smaller batch to 0: what is computed from them adds nothing to any gradient. */
function addClearedRows({ context: { plan, batchSize, run } }: Norm, value: Value): void {
  let bytes: Uint8Array | undefined;
  plan.addCall(() => {
    if (run.count === batchSize) return;
    bytes ??= plan.bytes(value);
    bytes.fill(0, (run.count * bytes.length) / batchSize);
  }, [value]);
}
