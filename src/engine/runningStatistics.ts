/** Running statistics of batch normalization, as every engine updates them. */
import { ConfigError, ShapeError } from "../errors.ts";
import { alone } from "./communicator.ts";
import type { CompileRequest } from "./engine.ts";

/** Throws ShapeError for statistics of fewer than two values per channel, whose variance is unknown. */
export function requireSeveral(operation: string, count: number): void {
  if (count > 1) return;
  throw new ShapeError(
    `${operation}: batch statistics of ${count} value per channel (expected at least 2); use more images per batch, or freeze the layer`,
  );
}

/** Throws ConfigError for training in several processes with statistics of the batch: each process would have those of its own images only. */
export function requireOneProcess({ ops, communicator = alone, frozen = [] }: CompileRequest): void {
  const own = ops.find((op) => op.parameters.some((p) => p.isStatistic) && !frozen.includes(op.name));
  if (communicator.size === 1 || !own) return;
  throw new ConfigError(
    `${own.name}: batch statistics of several processes are not supported; train in one process, or freeze the layer`,
  );
}

/** running[c] ← (1 − momentum) · running[c] + momentum · value. */
export function towards(running: Float32Array | Float64Array, c: number, value: number, momentum: number): void {
  running[c] = (1 - momentum) * (running[c] as number) + momentum * value;
}

/** Estimate of a variance from that of n values. */
export function unbiased(variance: number, n: number): number {
  return (variance * n) / (n - 1);
}
