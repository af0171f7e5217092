/** Work of a training step on a graphics adapter, counted from its plan: kernels, bytes, and the arithmetic of whole tiles. */
import { learned } from "../../learned.ts";
import { sizeOf } from "../../shape.ts";
import type { AnyOp, CompileRequest, OpKind } from "../engine.ts";
import type { PlannedWork } from "../plannedWork.ts";
import { planChain } from "./chain.ts";

/** Limits of most adapters; workgroup memory is the least of the standard. */
const adapter = { isPlain: false, workgroupBytes: 16_384, bindingBytes: 2 ** 30 } as const;

/** Kinds that need no kernel of their own. */
const free: Partial<Record<OpKind, true>> = { relu: true, flatten: true, adaptiveAveragePool2d: true };

/** Tensors that an update of SGD with momentum reads and writes. */
const UPDATED_TENSORS = 5;

/** Counts a training step, with an update of each parameter. */
export function countWork(request: CompileRequest): PlannedWork {
  const { ops, batchSize } = request;
  const { dispatches } = planChain(request, adapter, true).plan;
  const parameters = ops.flatMap((op) => learned(op.parameters));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const updates = sum(parameters.map(({ shape }) => 4 * UPDATED_TENSORS * sizeOf(shape)));
  return {
    kernels: dispatches.length + parameters.length,
    // All updates share one.
    pipelines: new Set(dispatches.map(({ code }) => code)).size + 1,
    bytes: sum(dispatches.map(({ bytes }) => bytes)) + updates,
    leastBytes: leastBytes(ops, batchSize) + updates,
    tileWaste: sum(dispatches.map(({ computedMacs }) => computedMacs)) / sum(dispatches.map(({ macs }) => macs)) - 1,
  };
}

/**
 * Bytes of a step whose layers read their inputs once and write their outputs once, forward and backward: for layers with weights x, w → y; dy, w → dx;
 * x, dy → dw; for others x → y and dy → dx. Activations and flattening cost nothing.
 */
function leastBytes(ops: readonly AnyOp[], batchSize: number): number {
  return ops.reduce((sum, op, i) => {
    const [x, y] = [batchSize * sizeOf(op.inputShape), batchSize * sizeOf(op.outputShape)];
    const w = op.parameters.reduce((all, { shape }) => all + sizeOf(shape), 0);
    const values = w > 0 ? 2 * (x + y + w) + (i === 0 ? 0 : x + y + w) : 2 * (x + y);
    return sum + (free[op.kind] ? 0 : 4 * values);
  }, 0);
}
