/**
 * Between f32 and 8 bits: q = round(x / scale) + zeroPoint, clamped to 0 … 255; x = scale · (q − zeroPoint). Layouts stay as they are.
 *
 * The quotient is divided, and rounded before the zero point is added: multiplied by 1 / scale, or rounded after, halves go to another integer than in
 * the exported file, and images of 8-bit levels are full of halves.
 */
import type { Rounding } from "../../../int8.ts";
import { constant } from "./constants.ts";
import type { Int8Context, Int8Value } from "./op.ts";

/** The value in 8 bits; itself if `rounding` is undefined. */
export function quantize(context: Int8Context, input: Int8Value, rounding: Rounding | undefined): Int8Value {
  if (!rounding) return input;
  const { plan } = context;
  const { dims, desc } = input.value;
  const [scale, zeroPoint] = scalars(context, dims, rounding);
  const forward = plan.session.elementwise(desc, plan.session.any(dims, "u8"), [
    { operation: "divide", operand: scale.desc },
    { operation: "round" },
    { operation: "add", operand: zeroPoint.desc },
  ]);
  const value = plan.value(dims, plan.layout(forward, "dst"));
  plan.add("quantize", forward, [
    ["src", input.value],
    ["operand0", scale],
    ["operand2", zeroPoint],
    ["dst", value],
  ]);
  return { value, rounding };
}

/** The value in f32. */
export function dequantize(context: Int8Context, input: Int8Value): Int8Value {
  if (!input.rounding) return input;
  const { plan } = context;
  const { dims, desc } = input.value;
  const [scale, zeroPoint] = scalars(context, dims, input.rounding);
  const { session } = plan;
  // The library's own kernel from u8 to f32 is a plain loop: a copy comes first, in the layout that it would choose.
  const direct = session.elementwise(desc, session.any(dims, "f32"), [{ operation: "multiply", operand: scale.desc }]);
  const value = plan.value(dims, plan.layout(direct, "dst"));
  plan.copy(input.value, value);
  const forward = session.elementwise(value.desc, value.desc, [
    { operation: "subtract", operand: zeroPoint.desc },
    { operation: "multiply", operand: scale.desc },
  ]);
  plan.add("dequantize", forward, [
    ["src", value],
    ["operand0", zeroPoint],
    ["operand1", scale],
    ["dst", value],
  ]);
  return { value, rounding: undefined };
}

function scalars(context: Int8Context, dims: readonly number[], { scale, zeroPoint }: Rounding) {
  const ones = dims.map(() => 1);
  return [
    constant(context, ones, Float32Array.of(scale)),
    constant(context, ones, Float32Array.of(zeroPoint)),
  ] as const;
}
