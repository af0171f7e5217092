/** Values and builders of an int8 program. */
import type { Int8Scheme, Rounding } from "../../../int8.ts";
import type { AnyOp, InferenceRequest, Op, OpKind } from "../../engine.ts";
import type { Plan, Value } from "../plan.ts";
import type { TensorMemory } from "../tensors.ts";
import type { Int8Weights } from "./weights.ts";

/** A request for int8. */
export type Int8Request = InferenceRequest & { readonly precision: "int8" };

/** An activation in 8 bits by its rounding, or in f32 without one. */
export interface Int8Value {
  readonly value: Value;
  readonly rounding: Rounding | undefined;
}

/** Shared surroundings of all operations of an int8 program. */
export interface Int8Context {
  readonly plan: Plan;
  readonly tensors: TensorMemory;
  readonly scheme: Int8Scheme;
  readonly weights: Int8Weights;
}

/** Adds an operation to a plan. `covers` is the number of operations of the chain that this computes. */
export type Int8Builder<K extends OpKind> = (
  context: Int8Context,
  op: Op<K>,
  input: Int8Value,
  next: AnyOp | undefined,
) => Int8Value & { readonly covers: number };
