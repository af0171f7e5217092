/** Schemes by which processes divide the work of training. */

/**
 * Schemes of division, for `--parallel`.
 *
 * - `data`: each process computes all operations for its part of every batch.
 * - `towers`: each process computes a part of the kernels and units for the whole batch; activations are gathered where an operation reads those of all.
 *   Source: Krizhevsky et al. 2012, §3.5 and figure 2, on two GPUs.
 * - `hybrid`: `data` up to the first linear layer, `towers` from there. Source: Krizhevsky 2014, “One weird trick for parallelizing convolutional neural
 *   networks”, §4, scheme (a).
 */
export const schemes = ["data", "towers", "hybrid"] as const;

/** Division of the work among processes. */
export type Scheme = (typeof schemes)[number];
