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
  const rows = Array.from({ length: batchSize }, (_, row) => row);
  const draw = (row: number) => ({ training: true, seed: noDraws.seed, counter: noDraws.first + row });
  let values: readonly Float64Array[] = rows.map((row) => rowOf(images, row, batchSize).map(keep));
  for (const { forward, keepOutput } of stages) {
    for (const row of rows) forward.activations[row]?.[0]?.set(values[row] as Float64Array);
    forward.forwardFrom(0, rows, draw);
    values = rows.map((row) => {
      const output = forward.activations[row]?.[1] as Float64Array;
      output.set(output.map(keepOutput));
      return output;
    });
  }
  let gradient: readonly Float64Array[] = rows.map((row) => rowOf(outputGradient, row, batchSize).map(keep));
  for (const { backward, keepGradient } of stages.toReversed()) {
    const given = gradient;
    backward.backwardAll(rows, draw, (row) => given[row] as Float64Array);
    gradient = rows.map((row) => backward.inputGradient(row).map(keepGradient));
  }
  const gradients = stages.flatMap(({ backward }) => backward.parameters.flat());
  return new Map([
    ["output", Float32Array.from(values.flatMap((row) => [...row]))],
    ...gradients.map(({ name, values }) => [name, Float32Array.from(values)] as const),
    ["input", Float32Array.from(gradient.flatMap((row) => [...row]))],
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
  const parameters = forward.parameters.flat();
  for (const { name, values } of parameters) values.set(parameterValues(name, values.length));
  const weight = parameters.find(({ shape }) => shape.length > 1);
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
