/** Figures over the tensors of a program, of which each process may hold a part. */
import type { Communicator } from "./communicator.ts";
import type { AnyOp } from "./engine.ts";

/** Names of the parameters of which each process has a part. */
export function dividedParameters(ops: readonly AnyOp[]): ReadonlySet<string> {
  return new Set(ops.flatMap(({ part, parameters }) => (part ? parameters.map(({ name }) => name) : [])));
}

/** Σ of `squaresOf` over tensors, and over all processes for divided ones. The same number on all processes. */
export function totalSquares<T>(
  communicator: Communicator,
  tensors: readonly T[],
  isDivided: (tensor: T) => boolean,
  squaresOf: (tensor: T) => number,
): number {
  const sumOf = (some: readonly T[]) => some.reduce((sum, tensor) => sum + squaresOf(tensor), 0);
  const parts = tensors.filter(isDivided);
  if (parts.length === 0) return sumOf(tensors);
  const total = Float64Array.of(sumOf(parts));
  communicator.sum(total);
  communicator.wait();
  return sumOf(tensors.filter((tensor) => !isDivided(tensor))) + (total[0] as number);
}

/** The lowest index that any process has found among equal lists; −1 if none has. Without divided tensors, all processes find the same. */
export function lowestIndex(communicator: Communicator, index: number, isDivided: boolean): number {
  if (!isDivided) return index;
  const all = new Float64Array(communicator.size);
  communicator.gather(Float64Array.of(index), all);
  communicator.wait();
  const found = all.filter((each) => each >= 0);
  return found.length === 0 ? -1 : Math.min(...found);
}
