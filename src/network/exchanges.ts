/** Bytes that each of several processes sends in a training step, by layer. */
import { bytesPerNumber } from "../bytes.ts";
import { firstRows, type Gather } from "../engine/communicator.ts";
import type { AnyOp } from "../engine/engine.ts";
import { learned } from "../learned.ts";
import { sizeOf } from "../shape.ts";
import { type Network, operations } from "./network.ts";
import { partition } from "./partition.ts";
import type { Scheme } from "./schemes.ts";

/** Exchanges of a layer in a training step: bytes that one process sends, and as many that it receives, in 32-bit floats. */
export interface LayerExchange {
  /** Name of the layer; `output` for the scores after the last one. */
  readonly name: string;
  /** Part of the batch, or of the outputs, that a process computes; undefined for all, and for `output`. */
  readonly part: { readonly of: "images" | "outputs"; readonly count: number; readonly all: number } | undefined;
  /** Its input from the other processes, or the scores. */
  readonly activationBytes: number;
  /** Gradients of its input. */
  readonly gradientBytes: number;
  /** Gradients of its weights and biases. */
  readonly parameterBytes: number;
}

/** Exchanges of a training step. */
export interface StepExchanges {
  readonly processes: number;
  readonly parallel: Scheme;
  readonly batchSize: number;
  /** Layers with weights, and the output. */
  readonly layers: readonly LayerExchange[];
  /** Bytes that a process sends in a step. */
  readonly totalBytes: number;
  /** Number of weights and biases that a process holds. */
  readonly parameters: number;
}

/** The division of a training step. */
export interface Division {
  readonly processes: number;
  readonly parallel: Scheme;
  readonly batchSize: number;
}

/**
 * Computes the exchanges of a training step of a network. P processes gather or scatter n bytes by sending (P − 1) / P · n each, and sum n bytes by twice
 * as many.
 *
 * Throws UsageError naming a layer that the scheme cannot divide, ShapeError for a batch that the processes cannot.
 */
export function stepExchanges(network: Network, { processes: size, parallel, batchSize }: Division): StepExchanges {
  const all = operations(network);
  const whole = new Map(all.map((op) => [op.name, op]));
  const { ops, gathers } = partition(all, parallel, { rank: 0, size });
  const images = {
    of: "images",
    count: firstRows({ rank: 0, size }, gathers, batchSize).count,
    all: batchSize,
  } as const;
  const sent = (bytes: number) => Math.round((bytes * (size - 1)) / size);
  const activations = (values: number) => sent(bytesPerNumber * batchSize * values);
  const first = ops.findIndex(({ parameters }) => parameters.length > 0);
  const gathered = (gather: Gather | undefined, values: number, hasGradient: boolean) => ({
    activationBytes: gather ? activations(values) : 0,
    gradientBytes: gather?.gradient === "sum" && hasGradient ? activations(values) : 0,
  });
  let isBatchDivided = gathers.some(({ axis }) => axis === "batch");
  const layers = ops.flatMap((op, i): readonly LayerExchange[] => {
    const gather = gathers.find(({ before }) => before === op.name);
    if (gather?.axis === "batch") isBatchDivided = false;
    if (op.parameters.length === 0) return [];
    const original = whole.get(op.name) ?? op;
    const own: LayerExchange["part"] = op.part && {
      of: "outputs",
      count: op.outputShape[0] ?? 0,
      all: original.outputShape[0] ?? 0,
    };
    return [
      {
        name: op.name,
        part: isBatchDivided ? images : own,
        ...gathered(gather, sizeOf(original.inputShape), i > first),
        parameterBytes: isBatchDivided ? 2 * sent(bytesPerNumber * parametersOf(op)) : 0,
      },
    ];
  });
  const last = gathers.find(({ before }) => before === undefined);
  const scores = sizeOf(whole.get(ops.at(-1)?.name ?? "")?.outputShape ?? []);
  const output = { name: "output", part: undefined, ...gathered(last, scores, false), parameterBytes: 0 };
  const every = [...layers, output];
  const totalBytes = every.reduce(
    (sum, each) => sum + each.activationBytes + each.gradientBytes + each.parameterBytes,
    0,
  );
  const parameters = ops.reduce((sum, op) => sum + parametersOf(op), 0);
  return { processes: size, parallel, batchSize, layers: every, totalBytes, parameters };
}

function parametersOf({ parameters }: AnyOp): number {
  return learned(parameters).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
