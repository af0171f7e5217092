/** Division of a network's work among processes that train it together, as a rewriting of its chain of operations. */
import type { Communicator, Gather } from "../engine/communicator.ts";
import type { AnyOp, Op, OpKind } from "../engine/engine.ts";
import { UsageError } from "../errors.ts";
import { layerKinds } from "../layers/kinds.ts";
import type { Shape } from "../shape.ts";
import type { Scheme } from "./schemes.ts";

/** A process's part of a chain. */
export interface Partition {
  readonly ops: readonly AnyOp[];
  /** In the order of the chain. */
  readonly gathers: readonly Gather[];
}

/**
 * The part of a chain that process `rank` of `size` computes. Scores are those of the whole batch in every scheme. A layer with outputs that `size` does
 * not divide, and those after it, are computed by every process.
 *
 * Throws UsageError naming a layer that the scheme cannot divide.
 */
export function partition(
  ops: readonly AnyOp[],
  scheme: Scheme,
  { rank, size }: Pick<Communicator, "rank" | "size">,
): Partition {
  if (size === 1) return { ops, gathers: [] };
  const scores = { before: undefined, gradient: "own" } as const;
  if (scheme === "data") return { ops, gathers: [{ ...scores, axis: "batch" }] };
  const first = scheme === "towers" ? 0 : ops.findIndex(isLinear);
  if (first < 0) throw new UsageError("--parallel hybrid: expected a linear layer, got none; use --parallel data");
  const divided = divideFeatures(ops.slice(first), { index: rank, count: size }, scheme);
  const gathers = [...divided.gathers, ...(divided.ops.at(-1)?.part ? [{ ...scores, axis: "features" } as const] : [])];
  return { ops: [...ops.slice(0, first), ...divided.ops], gathers };
}

/** True for an operation with parameters on vectors. */
function isLinear({ parameters, inputShape }: AnyOp): boolean {
  return parameters.length > 0 && inputShape.length === 1;
}

function divideFeatures(
  ops: readonly AnyOp[],
  part: NonNullable<AnyOp["part"]>,
  scheme: Exclude<Scheme, "data">,
): Partition {
  const gathers: Gather[] = [];
  const own: AnyOp[] = [];
  /** The batch is gathered at the first linear layer. */
  let axis: Gather["axis"] | undefined = scheme === "hybrid" ? "batch" : undefined;
  /** Gradients of the whole input can be summed, or are not needed. */
  let mayDivide = true;
  for (const op of ops) {
    const isPart = own.at(-1)?.part !== undefined;
    const kept = isPart ? partOf<OpKind>(op, "part", part) : undefined;
    if (kept) {
      own.push(kept);
      continue;
    }
    if (op.parameters.length === 0) {
      if (isPart) throw undividable(op, scheme, part.count);
      own.push(op);
      continue;
    }
    if (isPart) axis = "features";
    const outputs: AnyOp | undefined = mayDivide ? partOf<OpKind>(op, "whole", part) : undefined;
    if (axis) gathers.push({ before: op.name, axis, gradient: outputs ? "sum" : "own" });
    own.push(outputs ?? op);
    [axis, mayDivide] = [undefined, outputs !== undefined];
  }
  if (!own.some((op) => op.part)) {
    throw new UsageError(
      `--parallel ${scheme}: expected a first layer with outputs that ${part.count} processes divide, got none; use --parallel data`,
    );
  }
  return { ops: own, gathers };
}

/** The operation on a part of the outputs; undefined if it cannot be divided. */
function partOf<K extends OpKind>(
  op: Op<K>,
  input: "part" | "whole",
  part: NonNullable<AnyOp["part"]>,
): AnyOp | undefined {
  const kind = layerKinds[op.kind];
  const options = kind.ofPart(op.options, input, part.count);
  if (!options) return undefined;
  const [channels = 0, ...map] = op.inputShape;
  const inputShape: Shape = input === "part" ? [channels / part.count, ...map] : op.inputShape;
  const shapes = kind.parameters(op.name, options, inputShape).map(({ shape }) => shape);
  const parameters = op.parameters.map((parameter, i) => ({ ...parameter, shape: shapes[i] ?? parameter.shape }));
  const outputShape = kind.outputShape(op.name, options, inputShape);
  return { ...op, options, inputShape, outputShape, parameters, part } as unknown as AnyOp;
}

function undividable({ name }: AnyOp, scheme: Scheme, size: number): UsageError {
  return new UsageError(
    `--parallel ${scheme}: ${name}: expected channels in groups that ${size} processes divide, since each output depends on several channels; ` +
      `use a network with such groups, or --parallel ${scheme === "towers" ? "hybrid" : "data"}`,
  );
}
