/** Linear scaling of the learning rate with the batch. */

/** Batch sizes that determine the factor of linear scaling. */
export interface BatchSizes {
  readonly batchSize?: number | undefined;
  readonly accumulate?: number | undefined;
  /** Number of images per step to which the recipe's learning rate applies; absent for a rate that does not depend on it. */
  readonly baseBatchSize?: number | undefined;
}

/**
 * Factor on the recipe's learning rate: images per step / `baseBatchSize`, or 1 without one.
 *
 * Source: Goyal et al. 2017, “Accurate, Large Minibatch SGD”, §2.1, the linear scaling rule; Krizhevsky 2014.
 */
export function rateScale({ baseBatchSize, batchSize = baseBatchSize, accumulate = 1 }: BatchSizes): number {
  if (baseBatchSize === undefined || batchSize === undefined) return 1;
  return (batchSize * accumulate) / baseBatchSize;
}
