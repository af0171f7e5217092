/** Converts other programs' pooling to the supported layers. */
import type { PoolWindow } from "../engine/engine.ts";
import { adaptiveAveragePool2d, averagePool2d, maxPool2d } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import type { Shape } from "../shape.ts";
import type { ChainBuilder } from "./chainBuilder.ts";
import { type FileWindow, FileWindowError } from "./fileConvolution.ts";

/** Window of a pool in a file. */
export interface FilePool extends FileWindow {
  /** True if a window may begin inside the map and end outside. */
  readonly isCeil: boolean;
}

/** Options of a pooling layer. */
export interface Pool {
  readonly options: PoolWindow;
  readonly shape: Shape;
  /** True if a window extends beyond the padding, where means count nothing. */
  readonly overhangs: boolean;
}

type Unsupported = (why: string) => Error;

/**
 * Converts a window that is square, has equal strides, and begins in the same padding on both axes; the padding at the end may differ.
 * End padding is chosen to give the file's number of windows.
 */
export function squarePool(pool: FilePool, [channels = 0, ...extents]: Shape, unsupported: Unsupported): Pool {
  const { kernel, stride, dilation, padBefore, padAfter, isCeil } = pool;
  const [padding] = padBefore;
  if (kernel[0] !== kernel[1]) throw unsupported(`a window (kernel_shape) of ${kernel.join("×")}, expected a square`);
  if (stride[0] !== stride[1]) throw unsupported(`strides ${stride.join(", ")}, expected the same twice`);
  if (dilation.some((d) => d !== 1)) throw unsupported(`dilations ${dilation.join(", ")}`);
  const refused = () => {
    const pads = [...padBefore, ...padAfter].join(", ");
    const window = `window ${kernel[0]}, strides ${stride[0]}${isCeil ? ", ceil_mode 1" : ""}`;
    return unsupported(`pads ${pads} (${window}) on ${extents.join("×")}`);
  };
  const axes = ([0, 1] as const).map((axis) => {
    const extent = extents[axis] as number;
    const padded = extent + padBefore[axis] + padAfter[axis];
    if (padded < kernel[axis]) {
      const { message } = unsupported(`window ${kernel[axis]} exceeds padded input (${extents.join("×")})`);
      throw new FileWindowError(message);
    }
    const steps = (padded - kernel[axis]) / stride[axis];
    const count = (isCeil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // Programs differ in the value of a window that lies entirely in the padding.
    if ((count - 1) * stride[axis] >= extent + padding) throw refused();
    return {
      count,
      least: (count - 1) * stride[axis] + kernel[axis] - extent - padding,
      overhangs: count > Math.floor(steps) + 1,
    };
  });
  const least = Math.max(0, ...axes.map((axis) => axis.least));
  const most = Math.min(...axes.map((axis) => axis.least)) + stride[0] - 1;
  const endPadding = padding >= least && padding <= most ? padding : least;
  if (padBefore[1] !== padding || 2 * padding > kernel[0] || endPadding > most || endPadding >= kernel[0])
    throw refused();
  const options = { kernelSize: kernel[0], stride: stride[0], padding };
  return {
    options: endPadding === padding ? options : { ...options, endPadding },
    shape: [channels, ...axes.map(({ count }) => count)],
    overhangs: axes.some(({ overhangs }) => overhangs),
  };
}

/** Adds max pooling. */
export function addMaxPool(chain: ChainBuilder, name: string, { options, shape }: Pool): void {
  chain.add(maxPool2d(name, options) as AnyLayer, shape, "kept");
}

/** Adds average pooling. `countsPadding`: true if means include the padding as zeros (but nothing beyond it). */
export function addAveragePool(
  chain: ChainBuilder,
  name: string,
  { options, shape, overhangs }: Pool,
  countsPadding: boolean,
  unsupported: Unsupported,
): void {
  if (countsPadding && overhangs) throw unsupported("means that count padding (count_include_pad) with ceil_mode 1");
  chain.add(averagePool2d(name, { ...options, countIncludePad: countsPadding }) as AnyLayer, shape, "kept");
}

/** Adds global average pooling. */
export function addGlobalAverage(chain: ChainBuilder, name: string): void {
  const channels = chain.shape[chain.channelAxis] ?? 0;
  chain.add(adaptiveAveragePool2d(name, { outputSize: 1 }) as AnyLayer, [channels, 1, 1], "kept");
}
