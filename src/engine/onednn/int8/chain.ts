/** Adds a chain of operations in int8 to a plan, for inference. */
import { ConfigError } from "../../../errors.ts";
import { IMAGES } from "../../../int8.ts";
import { sizeOf } from "../../../shape.ts";
import type { AnyOp, Op, OpKind, OpOptions } from "../../engine.ts";
import { type Forward, fixedValue } from "../chain.ts";
import type { LibC } from "../native/libc.ts";
import type { MemoryFormat, Session } from "../native/oneDnn.ts";
import { weightlessBuilders } from "../ops/builders.ts";
import type { Builder, OpContext } from "../ops/op.ts";
import { Plan } from "../plan.ts";
import type { Account } from "../profile.ts";
import type { TensorMemory } from "../tensors.ts";
import { multiplications } from "./multiply.ts";
import type { Int8Builder, Int8Context, Int8Request, Int8Value } from "./op.ts";
import { dequantize, quantize } from "./roundings.ts";
import { createInt8Weights, type Int8Weights } from "./weights.ts";

// One of the two has each kind.
const multiplying: { readonly [K in OpKind]?: Int8Builder<K> } = multiplications;
const weightless: { readonly [K in OpKind]?: Builder<K, OpContext> } = weightlessBuilders;

/** Options that int8 does not support, by kind: the part of a message after the operation's name. */
const refusals: { readonly [K in OpKind]?: (options: OpOptions[K]) => string | undefined } = {
  dropout: ({ activeAtEvaluation, probability }) =>
    activeAtEvaluation && probability > 0 ? "dropout that stays active at evaluation" : undefined,
};

/**
 * Adds every operation's steps. Max pooling and similar kinds pass int8 values through; other kinds without weights compute in f32 between two
 * roundings, as in the exported file.
 */
export function addInt8Forward(
  session: Session,
  tensors: TensorMemory,
  { ops, inputShape, batchSize, quantization: scheme }: Int8Request,
  account: Account,
  share: LibC["share"],
): Forward & { readonly weights: Int8Weights } {
  if (!scheme) throw new ConfigError("precision: int8 needs a quantization; calibrate the network first");
  for (const op of ops) refuse<OpKind>(op);
  const plan = new Plan(session, account);
  const weights = createInt8Weights(session, tensors);
  const context: Int8Context = { plan, tensors, scheme, weights };
  const run: OpContext["run"] = { draws: { seed: 0, first: 0 }, isTraining: false, count: batchSize };
  const inputDims = [batchSize, ...inputShape];
  const images = share(sizeOf(inputDims));
  const input = fixedValue(session.plain(inputDims, "f32"), inputDims, images.array.byteLength, images.address);
  plan.enter("input", "forward");
  let last = quantize(context, { value: input, rounding: undefined }, scheme.activations.get(IMAGES));
  for (let i = 0; i < ops.length; ) {
    const op = ops[i] as AnyOp;
    plan.enter(op.name, "forward");
    const built = build<OpKind>({ ...context, batchSize, run }, op, last, ops[i + 1]);
    last = built;
    i += built.covers;
  }
  const { value } = dequantize(context, last);
  const output = plan.inLayout(value, session.plain(value.dims, "f32"));
  plan.keep(output);
  const { parameters } = weights;
  return { plan, tensors, parameters, algorithms: {}, run, input, images: images.array, output, chain: [], weights };
}

function refuse<K extends OpKind>({ kind, name, options, inInt8 }: Op<K>): void {
  if (inInt8 === "none") throw new ConfigError(`${name}: ${kind} has no 8-bit form; use f32 or bf16`);
  const problem = refusals[kind]?.(options);
  if (problem !== undefined) throw new ConfigError(`${name}: int8 has no ${problem}; use f32 or bf16`);
}

type Surroundings = Int8Context & Pick<OpContext, "batchSize" | "run">;

function build<K extends OpKind>(
  context: Surroundings,
  op: Op<K>,
  input: Int8Value,
  next: AnyOp | undefined,
): ReturnType<Int8Builder<K>> {
  const multiply = multiplying[op.kind];
  if (multiply) return multiply(context, op, input, next);
  const add = weightless[op.kind] as Builder<K, OpContext>;
  if (op.inInt8 === "kept") {
    const { output } = add(inFormat(context, input.rounding ? "u8" : "f32"), op, input.value, undefined);
    return { value: output, rounding: input.rounding, covers: 1 };
  }
  const { value } = dequantize(context, input);
  const { output } = add(inFormat(context, "f32"), op, value, undefined);
  const rounding = context.scheme.activations.get(op.name);
  return { ...quantize(context, { value: output, rounding: undefined }, rounding), covers: 1 };
}

/** The build context of an operation without weights. */
function inFormat({ plan, batchSize, run }: Surroundings, format: MemoryFormat): OpContext {
  return { plan, batchSize, training: false, format, run, inputLayout: () => undefined };
}
