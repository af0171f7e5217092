/** Division of a batch among programs of several batch sizes. */

/** A program's batch size, and the milliseconds of one call, which do not depend on the number of images in it. */
export interface BatchCost {
  readonly size: number;
  readonly milliseconds: number;
}

/** Batch sizes to compile for a maximum: few, since each program has weights of its own. The first is 1, as in `alexnet predict`. */
export function batchSizes(maxBatch: number, isRandom: boolean): readonly number[] {
  if (isRandom) return [1];
  const sizes = [1, Math.round(maxBatch / 4), maxBatch];
  return sizes.filter((size, i) => size > (sizes[i - 1] ?? 0));
}

/**
 * Milliseconds of each program's calls, ordered by size, where a larger batch never takes longer per image than a smaller one. A call that was held up
 * by other processes then does not keep its program from being used, and measured, again.
 */
function bounded(costs: readonly BatchCost[]): readonly BatchCost[] {
  let perImage = Number.POSITIVE_INFINITY;
  return costs.map(({ size, milliseconds }) => {
    perImage = Math.min(perImage, milliseconds / size);
    return { size, milliseconds: perImage * size };
  });
}

/**
 * Indices of the programs that compute `count` images in the shortest total time. A single image is computed by the first program, whose batch size
 * is 1.
 */
export function planBatch(count: number, measured: readonly BatchCost[]): readonly number[] {
  if (count === 1) return [0];
  const costs = bounded(measured);
  const best: { readonly total: number; readonly program: number }[] = [{ total: 0, program: 0 }];
  for (let n = 1; n <= count; n++) {
    const options = costs.map(({ size, milliseconds }, program) => ({
      total: milliseconds + (best[Math.max(n - size, 0)]?.total ?? 0),
      program,
    }));
    best.push(options.reduce((a, b) => (b.total <= a.total ? b : a)));
  }
  const plan: number[] = [];
  for (let left = count; left > 0; ) {
    const program = best[left]?.program ?? 0;
    plan.push(program);
    left -= costs[program]?.size ?? 1;
  }
  return plan;
}
