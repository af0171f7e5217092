/** Oracle for bf16: a chain computed with every stored number rounded. */
import type { AnyOp } from "../../src/engine/engine.ts";
import { GradientChain, Chain as ReferenceChain } from "../../src/engine/reference/chain.ts";
import { hoistMaxPool } from "../../src/hoistMaxPool.ts";
import { type Chain, noDraws, opsOf, parameterValues, type Results } from "../chains.ts";
import type { Arithmetic } from "../engines.ts";

type Keep = Arithmetic["keep"];

/** Images of a chain, and the gradient of its output. */
export interface ChainData {
  readonly images: Float32Array;
  readonly outputGradient: Float32Array;
}

/**
 * What a chain gives where numbers are rounded as they are kept: images, what operations make of them, the gradients of all that, and weights as
 * they are multiplied; sums, biases and the gradients of parameters are f64. The formulas are those of the reference engine, which `keep: x ↦ x`
 * gives.
 */
export function roundedResults(chain: Chain, { images, outputGradient }: ChainData, keep: Keep): Results {
  const { batchSize } = chain;
  // Numbers that are kept exactly are the same in any order; rounded ones are rounded where the engine keeps them.
  const isRounded = keep(1 + Number.EPSILON) === 1;
  const ops = isRounded ? hoistMaxPool(opsOf(chain)) : opsOf(chain);
  const stages = ops.map((op, i) => stageOf(op, ops[i + 1], batchSize, keep));
  const results: Record<"output" | "input", number[]> = { output: [], input: [] };
  for (let row = 0; row < batchSize; row++) {
    const draw = { training: true, seed: noDraws.seed, counter: noDraws.first + row };
    let values: Float64Array = rowOf(images, row, batchSize).map(keep);
    for (const { forward, keepOutput } of stages) {
      values = forward.forward(row, values, draw);
      values.set(values.map(keepOutput));
    }
    results.output.push(...values);
    let gradient: Float64Array = rowOf(outputGradient, row, batchSize).map(keep);
    for (const { backward, keepGradient } of stages.toReversed()) {
      gradient = backward.backward(row, draw, gradient).map(keepGradient);
    }
    results.input.push(...gradient);
  }
  const gradients = stages.flatMap(({ backward }) => backward.parameters.flat());
  return new Map([
    ["output", Float32Array.from(results.output)],
    ...gradients.map(({ name, values }) => [name, Float32Array.from(values)] as const),
    ["input", Float32Array.from(results.input)],
  ]);
}

/** An operation as a chain of its own, and how what it makes is kept. */
interface Stage {
  readonly forward: ReferenceChain;
  readonly backward: GradientChain;
  readonly keepOutput: Keep;
  readonly keepGradient: Keep;
}

function stageOf(op: AnyOp, next: AnyOp | undefined, batchSize: number, keep: Keep): Stage {
  const forward = new ReferenceChain([op], op.inputShape, batchSize);
  const [weight, bias] = forward.parameters.flat();
  for (const parameter of [weight, bias])
    parameter?.values.set(parameterValues(parameter.name, parameter.values.length));
  weight?.values.set(weight.values.map(keep));
  const scale = factorRounding(op, keep);
  const keepScaled: Keep = (x) => keep(scale * x);
  return {
    forward,
    backward: new GradientChain(forward, "input"),
    keepOutput: weight && isKeptAsSum(next) ? (x) => x : keepScaled,
    keepGradient: keepScaled,
  };
}

/** An activation is computed from the sums of the layer before it, unrounded; the sums that end a chain are its output. */
function isKeptAsSum(next: AnyOp | undefined): boolean {
  return next === undefined || next.order === "increasing";
}

/** Dropout's factor is a number that is kept, too. */
function factorRounding(op: AnyOp, keep: Keep): number {
  if (op.kind !== "dropout") return 1;
  const factor = 1 / (1 - op.options.probability);
  return keep(factor) / factor;
}

function rowOf(values: Float32Array, row: number, rows: number): Float64Array {
  const size = values.length / rows;
  return Float64Array.from(values.subarray(row * size, (row + 1) * size));
}
