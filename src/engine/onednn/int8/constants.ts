/** Values that stay in memory for all passes of a program. */
import { asValue } from "../chain.ts";
import type { Desc, MemoryFormat } from "../native/oneDnn.ts";
import type { Value } from "../plan.ts";
import type { PlainValues } from "../tensors.ts";
import type { Int8Context } from "./op.ts";

/** A tensor of the given extents in a layout, filled once. */
export function constantIn(
  { plan, tensors }: Pick<Int8Context, "plan" | "tensors">,
  dims: readonly number[],
  desc: Desc,
  format: MemoryFormat,
  values: PlainValues,
): Value {
  const layout = { name: "constant", parameter: "constant", shape: dims, desc, parts: 1 };
  const tensor = tensors.create({ ...layout, plain: plan.session.plain(dims, format) });
  tensors.transfer("write", tensor, values);
  return asValue(tensor, dims, 0);
}

/** f32 values in row order. */
export function constant(context: Int8Context, dims: readonly number[], values: Float32Array): Value {
  return constantIn(context, dims, context.plan.session.plain(dims, "f32"), "f32", values);
}
