/** Converts other programs' convolutions to the supported ones. */
import { UnsupportedError } from "../errors.ts";
import { conv2d } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import type { ChainBuilder } from "./chainBuilder.ts";

/** A window that is larger than its padded input, which a larger image may repair. */
export class FileWindowError extends UnsupportedError {}

/** Window of a convolution or pool in a file; pairs are height and width. */
export interface FileWindow {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly padBefore: Pair;
  readonly padAfter: Pair;
}

/** Window, outputs and groups of a convolution in a file. */
export interface FileConvolution extends FileWindow {
  readonly outChannels: number;
  readonly groups: number;
}

/** Numbers of both axes of an image. */
export type Pair = readonly [height: number, width: number];

/** Largest padding that a file may state, in pixels. */
export const MAX_PADDING = 4096;
/** Maximum growth of a kernel by zero padding, as a factor of its area. */
const MOST_GROWTH = 16;

/**
 * Adds a convolution. If its kernel is not square, dilated or unevenly padded, adds an equivalent one with a larger square kernel that has
 * zeros around or between the weights.
 *
 * Throws UnsupportedError, beginning with `what`, if there is no such kernel.
 */
export function addConvolution(
  builder: ChainBuilder,
  name: string,
  convolution: FileConvolution,
  weight: Float32Array,
  bias: Float32Array | undefined,
  what: string,
): void {
  const { outChannels, kernel, stride, dilation, padBefore, padAfter, groups } = convolution;
  const [, height = 0, width = 0] = builder.shape;
  if (stride[0] !== stride[1])
    throw new UnsupportedError(`${what}: expected equal strides, got ${stride.join(" and ")}`);
  const padding = Math.max(...padBefore, ...padAfter);
  const [tall, wide] = ([0, 1] as const).map(
    (axis) => (kernel[axis] - 1) * dilation[axis] + 1 + 2 * padding - padBefore[axis] - padAfter[axis],
  ) as [number, number];
  if (tall !== wide) {
    throw new UnsupportedError(
      `${what}: kernel_shape ${kernel.join("×")} with pads ${[...padBefore, ...padAfter].join(", ")} has no equivalent square window`,
    );
  }
  const isSame = kernel[0] === tall && kernel[1] === tall;
  if (tall ** 2 > MOST_GROWTH * kernel[0] * kernel[1] && !isSame) {
    throw new UnsupportedError(`${what}: dilations or pads would need a kernel of ${tall}×${tall}, mostly zeros`);
  }
  const layer = conv2d(name, { outChannels, kernelSize: tall, stride: stride[0], padding, groups });
  const out = [height, width].map((extent) => Math.floor((extent + 2 * padding - tall) / stride[0]) + 1);
  if (out.some((extent) => extent < 1)) {
    throw new FileWindowError(`${what}: window ${tall} exceeds padded input (${height}×${width})`);
  }
  if (!isSame) builder.note(`${name}: kernel ${kernel.join("×")} converted to ${tall}×${tall} with zeros`);
  const at = (axis: 0 | 1, k: number) => padding - padBefore[axis] + k * dilation[axis];
  const values = isSame ? weight : spread(weight, kernel, tall, at);
  builder.addWeighted(layer as AnyLayer, values, bias, [outChannels, ...out]);
}

/** Spreads kernels with zeros: element (y, x) moves to row at(0, y), column at(1, x). */
function spread(
  weight: Float32Array,
  [height, width]: Pair,
  size: number,
  at: (axis: 0 | 1, k: number) => number,
): Float32Array {
  const kernels = weight.length / (height * width);
  const values = new Float32Array(kernels * size * size);
  for (let i = 0; i < kernels; i++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        values[(i * size + at(0, y)) * size + at(1, x)] = weight[(i * height + y) * width + x] as number;
      }
    }
  }
  return values;
}
