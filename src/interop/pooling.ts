/** Pooling as files have it, as far as there is a layer that does the same. */
import { adaptiveAveragePool2d, maxPool2d } from "../layers/kinds.ts";
import type { AnyLayer } from "../layers/layer.ts";
import type { Shape, Window } from "../shape.ts";
import type { ChainBuilder } from "./chainBuilder.ts";
import type { FileWindow } from "./fileConvolution.ts";

export interface FilePool extends FileWindow {
  /** Whether a window may begin within the map and end behind it. */
  readonly isCeil: boolean;
}

type Unsupported = (why: string) => Error;

/**
 * A window that is square, moves alike along both axes and begins in the same padding on both, and the shape that it gives. What lies behind the
 * last window does not matter: padding there, or rounding up, is no matter unless it makes a window more.
 */
export function squarePool(pool: FilePool, [channels = 0, ...extents]: Shape, unsupported: Unsupported) {
  const { kernel, stride, dilation, padBefore, padAfter, isCeil } = pool;
  const [padding] = padBefore;
  if (kernel[0] !== kernel[1]) throw unsupported(`a window (kernel_shape) of ${kernel.join("×")}, expected a square`);
  if (stride[0] !== stride[1]) throw unsupported(`strides ${stride.join(", ")}, expected the same twice`);
  if (dilation.some((d) => d !== 1)) throw unsupported(`dilations ${dilation.join(", ")}`);
  const counts = ([0, 1] as const).map((axis) => {
    const steps = (before: number, after: number) =>
      ((extents[axis] as number) + before + after - kernel[axis]) / stride[axis];
    const wanted = steps(padBefore[axis], padAfter[axis]);
    return {
      even: Math.floor(steps(padding, padding)) + 1,
      wanted: (isCeil ? Math.ceil(wanted) : Math.floor(wanted)) + 1,
    };
  });
  if (padBefore[1] !== padding || counts.some(({ even, wanted }) => even !== wanted || even < 1)) {
    const pads = [...padBefore, ...padAfter].join(", ");
    const window = `window ${kernel[0]}, strides ${stride[0]}`;
    throw unsupported(`pads ${pads}${isCeil ? " with ceil_mode 1" : ""} (${window}) on ${extents.join("×")}`);
  }
  return {
    options: { kernelSize: kernel[0], stride: stride[0], padding },
    shape: [channels, ...counts.map(({ even }) => even)],
  };
}

export function addMaxPool(
  chain: ChainBuilder,
  name: string,
  options: Window,
  shape: Shape,
  unsupported: Unsupported,
): void {
  if (2 * options.padding > options.kernelSize) throw unsupported("pads of more than half the window");
  chain.add(maxPool2d(name, options) as AnyLayer, shape);
}

/** Of windows side by side that fill the map. */
export function addAveragePool(
  chain: ChainBuilder,
  name: string,
  { kernelSize, stride, padding }: Window,
  [, outHeight = 0, outWidth = 0]: Shape,
  unsupported: Unsupported,
): void {
  const [, height = 0, width = 0] = chain.shape;
  const tiles = kernelSize === stride && padding === 0 && outHeight === outWidth;
  if (!tiles || outHeight * stride !== height || outWidth * stride !== width) {
    throw unsupported(
      `averages over ${kernelSize}×${kernelSize}, strides ${stride}, pads ${padding} on ${height}×${width}`,
    );
  }
  addAverage(chain, name, outHeight);
}

export function addAverage(chain: ChainBuilder, name: string, outputSize: number): void {
  const [channels = 0] = chain.shape;
  chain.add(adaptiveAveragePool2d(name, { outputSize }) as AnyLayer, [channels, outputSize, outputSize]);
}
