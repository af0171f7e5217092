/** Scales and shifts of channels, folded into the weights of a layer before or after them. */

import type { Affine } from "../layers/layer.ts";

/** Parameters of a layer: `weight` is [outputs, inputs per output], `bias` [outputs]. */
export interface Parameters {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** `first`, then `second`. */
export function composed(first: Affine | undefined, second: Affine): Affine {
  if (!first) return second;
  return {
    scale: first.scale.map((s, i) => s * (second.scale[i] as number)),
    shift: first.shift.map((t, i) => t * (second.scale[i] as number) + (second.shift[i] as number)),
  };
}

/** scale (W x + b) + shift = (scale W) x + (scale b + shift), for one number per output. */
export function foldedAfter({ weight, bias }: Parameters, { scale, shift }: Affine): Parameters {
  const fanIn = weight.length / bias.length;
  const isScaled = scale.some((s) => s !== 1);
  return {
    weight: isScaled ? weight.map((w, i) => w * (scale[Math.floor(i / fanIn)] as number)) : weight,
    bias: bias.map((b, o) => b * (scale[o] as number) + (shift[o] as number)),
  };
}

/** W (scale · x + shift) + b = (W scale) x + (W shift + b), for one number per input. A missing bias is 0. */
export function foldedBefore(
  weight: Float32Array,
  bias: Float32Array | undefined,
  { scale, shift }: Affine,
): Parameters {
  const columns = scale.length;
  const sums = Float32Array.from({ length: weight.length / columns }, (_, row) => {
    let sum = bias?.[row] ?? 0;
    for (let i = 0; i < columns; i++) sum += (weight[row * columns + i] as number) * (shift[i] as number);
    return sum;
  });
  return { weight: weight.map((w, i) => w * (scale[i % columns] as number)), bias: sums };
}
