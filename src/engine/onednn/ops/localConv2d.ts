/** Locally connected layer: a matrix product for each output position, of its windows and its kernels. */
import { featureMap, sizeOf } from "../../../shape.ts";
import type { Op } from "../../engine.ts";
import type { MemoryFormat } from "../native/oneDnn.ts";
import { channelsLast } from "../parts.ts";
import type { Plan, Value } from "../plan.ts";
import { type BuildContext, type Builder, whole } from "./op.ts";

/** Extents of an operation for a batch. */
interface Extents {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly outChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  /** Output positions. */
  readonly positions: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  /** Inputs of an output. */
  readonly window: number;
}

/**
 * The windows are copied to rows, [positions, batch, window] with channels last, so that a window's element is a run of channels. Kernels are stored as
 * [positions, outChannels, window]. Sums and their gradients are f32; the factors have the format of activations.
 */
export const buildLocalConv2d: Builder<"localConv2d"> = (context, op, input) => {
  const { plan, format } = context;
  const { session } = plan;
  const e = extentsOf(context, op);
  const { batch, outChannels, positions, window, kernelSize, channels } = e;
  const weightDims = [outChannels, positions, channels, kernelSize, kernelSize];
  const weightStrides = [window, outChannels * window, 1, kernelSize * channels, channels];
  const weightLayout = (own: MemoryFormat) => session.strided(weightDims, weightStrides, own);
  const biasDims = [outChannels, positions];
  const weight = context.parameter(op.name, "weight", weightDims, weightLayout("f32"), whole);
  const bias = context.parameter(op.name, "bias", biasDims, session.strided(biasDims, [1, outChannels], "f32"), whole);
  const kernels = plan.inLayout(weight.value, weightLayout(format));
  const sums = plan.value([positions, batch, outChannels], session.plain([positions, batch, outChannels], "f32"));
  multiply(plan, rowOfOnes(context, [1, batch, 1]), matrix(plan, bias.value, [positions, 1, outChannels], "f32"), sums);
  const columns = { ...kernels, ...transposed(plan, [positions, window, outChannels], format) };
  multiply(plan, addWindows(context, e, input), columns, sums, true);
  const output = plan.inLayout(asOutput(plan, e, sums), session.plain([batch, ...op.outputShape], format));
  return {
    output,
    covers: 1,
    backward(outputGradient, needed) {
      const gradient = plan.value(sums.dims, session.plain(sums.dims, format));
      plan.copy(outputGradient, asOutput(plan, e, gradient, format));
      if (weight.gradient && bias.gradient) {
        plan.enter(op.name, "backwardWeights");
        addParameterGradients(context, e, input, gradient, { weight: weight.gradient, bias: bias.gradient });
        plan.enter(op.name, "backwardData");
      }
      if (!needed) return undefined;
      const rows = plan.value([positions, batch, window], session.plain([positions, batch, window], "f32"));
      multiply(plan, gradient, matrix(plan, kernels, [positions, outChannels, window], format), rows);
      return addInputGradient(context, e, rows, input);
    },
  };
};

/** Gradients of the kernels, the errors of each position times its windows, and of the biases, the sums of the errors. */
function addParameterGradients(
  context: BuildContext,
  e: Extents,
  input: Value,
  gradient: Value,
  { weight, bias }: { readonly weight: Value; readonly bias: Value },
): void {
  const { plan, format } = context;
  const { batch, positions, outChannels, window } = e;
  const errors = { ...gradient, ...transposed(plan, [positions, outChannels, batch], format) };
  const products = matrix(plan, weight, [positions, outChannels, window], "f32");
  multiply(plan, errors, addWindows(context, e, input), products);
  const ones = rowOfOnes(context, [1, 1, batch], format);
  multiply(plan, ones, gradient, matrix(plan, bias, [positions, 1, outChannels], "f32"));
}

function extentsOf({ batchSize: batch }: BuildContext, op: Op<"localConv2d">): Extents {
  const { kernelSize, stride, padding } = op.options;
  const [channels, height, width] = featureMap(op.name, op.inputShape);
  const [outChannels, outHeight, outWidth] = featureMap(op.name, op.outputShape);
  const window = channels * kernelSize ** 2;
  const output = { outChannels, outHeight, outWidth, positions: outHeight * outWidth };
  return { batch, channels, height, width, ...output, kernelSize, stride, padding, window };
}

/** dst ← src · weights, or dst + src · weights; the first axis is that of positions. */
function multiply(plan: Plan, src: Value, weights: Value, dst: Value, accumulate = false): void {
  plan.add("local convolution", plan.session.matmul(src.desc, weights.desc, dst.desc, { accumulate }), [
    ["src", src],
    ["weights", weights],
    ["dst", dst],
  ]);
}

/** The memory of a value as row-major matrices. */
function matrix({ session }: Plan, value: Value, dims: readonly number[], format: MemoryFormat): Value {
  return { ...value, dims, desc: session.plain(dims, format) };
}

/** Layout of [n, rows, columns] whose columns are contiguous. */
function transposed({ session }: Plan, dims: readonly number[], format: MemoryFormat): Pick<Value, "dims" | "desc"> {
  const [, rows = 0, columns = 0] = dims;
  return { dims, desc: session.strided(dims, [rows * columns, 1, rows], format) };
}

/** Sums [positions, batch, outChannels] as maps. */
function asOutput(plan: Plan, e: Extents, sums: Value, format: MemoryFormat = "f32"): Value {
  const dims = [e.batch, e.outChannels, e.outHeight, e.outWidth];
  const row = e.batch * e.outChannels;
  return { ...sums, dims, desc: plan.session.strided(dims, [e.outChannels, 1, e.outWidth * row, row], format) };
}

/** Ones in a format, written at each run, since memory is shared. */
function rowOfOnes({ plan }: BuildContext, dims: readonly number[], format: MemoryFormat = "f32"): Value {
  const plain = plan.value(dims, plan.session.plain(dims, "f32"));
  let ones: Float32Array | undefined;
  plan.addCall(() => {
    ones ??= plan.view(plain);
    ones.fill(1);
  }, [plain]);
  return plan.inLayout(plain, plan.session.plain(dims, format));
}

/** Extents of the padded input. */
function paddedDims({ batch, channels, height, width, padding }: Extents): readonly number[] {
  return [batch, channels, height + 2 * padding, width + 2 * padding];
}

/** A map of zeros, with channels last, and its part inside the padding. */
function addPadded({ plan }: BuildContext, e: Extents, format: MemoryFormat): readonly [all: Value, inside: Value] {
  const { session } = plan;
  const dims = paddedDims(e);
  const all = plan.value(dims, session.strided(dims, stridesOf(dims), format));
  let bytes: Uint8Array | undefined;
  plan.addCall(() => {
    bytes ??= plan.bytesOf(all);
    bytes.fill(0);
  }, [all]);
  const insideDims = [e.batch, e.channels, e.height, e.width];
  const inside = session.slice(all.desc, insideDims, [0, 0, e.padding, e.padding]);
  return [all, { ...all, dims: insideDims, desc: inside }];
}

function stridesOf([, channels = 0, height = 0, width = 0]: readonly number[]): readonly number[] {
  return [channels * height * width, 1, width * channels, channels];
}

/** For each element of the window, the inputs of all positions, [batch, channels, outHeight, outWidth], in a padded map and in the rows. */
function* elements(
  plan: Plan,
  e: Extents,
  padded: Value,
  rows: Value,
  formats: { readonly padded: MemoryFormat; readonly rows: MemoryFormat },
): Generator<{ readonly ofMap: Value; readonly ofRows: Value }> {
  const { session } = plan;
  const dims = [e.batch, e.channels, e.outHeight, e.outWidth];
  const [image = 0, , row = 0, pixel = 0] = stridesOf(paddedDims(e));
  const from = (value: Value, element: number) =>
    (value.offset ?? 0) + (element * session.bytes(value.desc)) / sizeOf(value.dims);
  const position = e.batch * e.window;
  const mapLayout = session.strided(dims, [image, 1, e.stride * row, e.stride * pixel], formats.padded);
  const rowsLayout = session.strided(dims, [e.window, 1, e.outWidth * position, position], formats.rows);
  for (let y = 0; y < e.kernelSize; y++) {
    for (let x = 0; x < e.kernelSize; x++) {
      yield {
        ofMap: { ...padded, dims, desc: mapLayout, offset: from(padded, y * row + x * pixel) },
        ofRows: { ...rows, dims, desc: rowsLayout, offset: from(rows, (y * e.kernelSize + x) * e.channels) },
      };
    }
  }
}

/** The windows of all positions as rows: [positions, batch, window]. */
function addWindows(context: BuildContext, e: Extents, input: Value): Value {
  const { plan, format } = context;
  const { session } = plan;
  let padded = plan.inLayout(input, channelsLast(session, input.dims, format));
  if (e.padding > 0) {
    const [all, inside] = addPadded(context, e, format);
    plan.copy(input, inside);
    padded = all;
  }
  const dims = [e.positions, e.batch, e.window];
  const rows = plan.value(dims, session.plain(dims, format));
  for (const { ofMap, ofRows } of elements(plan, e, padded, rows, { padded: format, rows: format })) {
    plan.copy(ofMap, ofRows);
  }
  return rows;
}

/** Sums the gradients of all windows to that of the input. */
function addInputGradient(context: BuildContext, e: Extents, rows: Value, input: Value): Value {
  const { plan } = context;
  const [all, inside] = addPadded(context, e, "f32");
  for (const { ofMap, ofRows } of elements(plan, e, all, rows, { padded: "f32", rows: "f32" })) {
    plan.accumulate(ofMap, ofRows);
  }
  const gradient = plan.value(input.dims, input.desc);
  plan.copy(inside, gradient);
  return gradient;
}
