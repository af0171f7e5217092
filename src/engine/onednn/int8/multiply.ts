/** Convolution and inner product in int8. */
import type { Rounding } from "../../../int8.ts";
import { sizeOf } from "../../../shape.ts";
import type { AnyOp } from "../../engine.ts";
import type { Activation, ConvolutionWindow } from "../native/oneDnn.ts";
import { fusable } from "../ops/activations.ts";
import type { Value } from "../plan.ts";
import { constant, constantIn } from "./constants.ts";
import type { Int8Builder, Int8Context, Int8Value } from "./op.ts";
import { type Int8Layer, scalesOf } from "./weights.ts";

/** A layer's extents in the library's terms. */
interface Geometry {
  readonly window: ConvolutionWindow;
  readonly weightDims: readonly number[];
  readonly outputDims: readonly number[];
}

const conv2d: Int8Builder<"conv2d"> = (context, op, input, next) => {
  const { outChannels, kernelSize, stride, padding, groups } = op.options;
  const [batchSize = 0, channels = 0] = input.value.dims;
  const filters = [outChannels / groups, channels / groups, kernelSize, kernelSize];
  return multiply(context, op, input, next, {
    window: { stride, padding, algorithm: "direct" },
    weightDims: groups > 1 ? [groups, ...filters] : filters,
    outputDims: [batchSize, ...op.outputShape],
  });
};

const linear: Int8Builder<"linear"> = (context, op, input, next) => {
  const { outFeatures } = op.options;
  const [batchSize = 0, features = 0] = input.value.dims;
  const weightDims = [outFeatures, features];
  const geometry = { window: undefined, weightDims, outputDims: [batchSize, outFeatures] };
  return multiply(context, op, input, next, geometry);
};

/** Kinds that multiply by weights. */
export const multiplications = { conv2d, linear };

/**
 * Sums of 8-bit products in s32, scaled, rounded and stored in 8 bits by one primitive, with the activation after it where that is possible. Longer than
 * other functions: one primitive with all its arguments.
 */
function multiply(
  context: Int8Context,
  op: Int8Layer["op"],
  input: Int8Value,
  next: AnyOp | undefined,
  { window, weightDims, outputDims }: Geometry,
): ReturnType<Int8Builder<"conv2d">> {
  const { plan, scheme, weights } = context;
  const { session } = plan;
  const inputRounding = input.rounding;
  if (!inputRounding) throw new Error(`${op.name}: its input has no rounding in the quantization`);
  const { activation, rounding, covers } = outputOf(context, op, next);
  const [weight, bias] = scalesOf(op, scheme);
  const unit = rounding?.scale ?? 1;
  const scales = bias.scales.map((scale) => scale / unit);
  const margin = inputRounding.zeroPoint === 0 ? 0 : (window?.padding ?? 0);
  const [dims, format] = [withMargin(input.value.dims, margin), rounding ? "u8" : "f32"] as const;
  const forward = session.int8Forward(
    {
      src: window ? session.any(dims, "u8") : session.plain(dims, "u8"),
      weights: session.any(weightDims, "s8"),
      bias: session.plain(outputDims.slice(1, 2), "f32"),
      dst: window ? session.any(outputDims, format) : session.plain(outputDims, format),
    },
    window && { ...window, padding: window.padding - margin },
    activation,
    scales,
  );
  const layer = { op, weight, bias, input: inputRounding, output: rounding, scales };
  const stored = weights.add(layer, weightDims, plan.layout(forward, "weights"));
  const source = plan.layout(forward, "src");
  const value = plan.value(outputDims, plan.layout(forward, "dst"));
  plan.add(window ? "convolution" : "linear", forward, [
    [
      "src",
      margin > 0
        ? addMargin(context, input.value, { dims, desc: source }, margin, inputRounding)
        : plan.inLayout(input.value, source),
    ],
    ["weights", stored.weight],
    ["bias", stored.bias],
    ["outputScales", constant(context, [1, scales.length, ...(window ? [1, 1] : [])], scales)],
    ["dst", value],
  ]);
  return { value, rounding, covers };
}

/** An output's rounding, and the activation before it. Storing in a range from 0 clamps as a `clamped` activation does. */
function outputOf(
  { scheme: { activations } }: Int8Context,
  op: Int8Layer["op"],
  next: AnyOp | undefined,
): { readonly activation: Activation | undefined; readonly rounding: Rounding | undefined; readonly covers: number } {
  const fused = next?.inInt8 === "clamped" ? fusable(next) : undefined;
  if (!next || !fused) return { activation: undefined, rounding: activations.get(op.name), covers: 1 };
  const rounding = activations.get(next.name);
  if (rounding?.zeroPoint === 0) return { activation: undefined, rounding, covers: 2 };
  return rounding
    ? { activation: undefined, rounding: undefined, covers: 1 }
    : { activation: fused, rounding: undefined, covers: 2 };
}

function withMargin([n = 0, channels = 0, ...map]: readonly number[], margin: number): readonly number[] {
  return [n, channels, ...map.map((extent) => extent + 2 * margin)];
}

/** The maps with a margin of zero points, which are the zeros of their padding: the library pads with the integer 0. */
function addMargin(
  context: Int8Context,
  input: Value,
  { dims, desc }: Pick<Value, "dims" | "desc">,
  margin: number,
  { zeroPoint }: Rounding,
): Value {
  const { plan } = context;
  const target = constantIn(context, dims, desc, "u8", new Uint8Array(sizeOf(dims)).fill(zeroPoint));
  const offsets = input.dims.map((_, axis) => (axis < 2 ? 0 : margin));
  plan.copy(input, { ...target, desc: plan.session.slice(desc, input.dims, offsets) });
  return target;
}
