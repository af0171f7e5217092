/** Division of a layer's tensors: matrices of weights, all that an optimizer trains, and running statistics. */
import type { Shape } from "./shape.ts";

/** Parameters that an optimizer trains: those that are no running statistics. */
export function learned<P extends { readonly isStatistic?: true }>(parameters: readonly P[]): readonly P[] {
  return parameters.filter(({ isStatistic }) => !isStatistic);
}

/** True for a layer that multiplies its inputs by weights, such as a convolution; false for one that scales channels. */
export function hasWeights({ parameters }: { readonly parameters: readonly { readonly shape: Shape }[] }): boolean {
  return parameters.some(({ shape }) => shape.length > 1);
}
