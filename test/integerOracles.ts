/**
 * Convolution, linear layer and max pooling once more, written from their definitions without a look at the engines: other
 * loops, other layout (channels last). Meant for whole numbers, on which any order of summation gives the same result.
 */
import type { Op } from "../src/engine/engine.ts";
import { featureMap, type Shape, sizeOf } from "../src/shape.ts";
import type { Results } from "./chains.ts";

/** What a layer is given. Shapes: x [N, …inputShape], w and b as the layer's, dy [N, …outputShape]. */
export interface Given {
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly b: Float32Array;
  readonly dy: Float32Array;
}

/** y, dx, dw and db under the names of `passThrough`. */
export function conv2dOracle(op: Op<"conv2d">, { x, w, b, dy }: Given): Results {
  const { kernelSize, stride, padding, groups, outChannels } = op.options;
  const [channels, height, width] = featureMap(op.name, op.inputShape);
  const [, outHeight, outWidth] = featureMap(op.name, op.outputShape);
  const depth = channels / groups;
  const xLast = channelsLast(x, [channels, height, width]);
  const wLast = channelsLast(w, [depth, kernelSize, kernelSize]);
  const dyLast = channelsLast(dy, op.outputShape);
  const yLast = new Float64Array(dy.length);
  const dxLast = new Float64Array(x.length);
  const dwLast = new Float64Array(w.length);
  const db = new Float32Array(b.length);
  for (let e = 0; e < yLast.length; e++) {
    const o = e % outChannels;
    const column = Math.floor(e / outChannels) % outWidth;
    const row = Math.floor(e / outChannels / outWidth) % outHeight;
    const n = Math.floor(e / outChannels / outWidth / outHeight);
    const slope = dyLast[e] as number;
    const firstChannel = Math.floor((o * groups) / outChannels) * depth;
    let sum = b[o] as number;
    for (let k = 0; k < kernelSize * kernelSize; k++) {
      const r = row * stride - padding + Math.floor(k / kernelSize);
      const c = column * stride - padding + (k % kernelSize);
      if (r < 0 || r >= height || c < 0 || c >= width) continue;
      const xs = ((n * height + r) * width + c) * channels + firstChannel;
      const ws = (o * kernelSize * kernelSize + k) * depth;
      sum += multiply(xLast, dxLast, xs, wLast, dwLast, ws, depth, slope);
    }
    yLast[e] = sum;
    db[o] = (db[o] as number) + slope;
  }
  return new Map([
    ["output", channelsFirst(yLast, op.outputShape)],
    ["input", channelsFirst(dxLast, op.inputShape)],
    [`${op.name}.weight`, channelsFirst(dwLast, [depth, kernelSize, kernelSize])],
    [`${op.name}.bias`, db],
  ]);
}

/** Σ x·w over `length` elements; adds slope·w to dx and slope·x to dw. */
function multiply(
  x: Float64Array,
  dx: Float64Array,
  xs: number,
  w: Float64Array,
  dw: Float64Array,
  ws: number,
  length: number,
  slope: number,
): number {
  let sum = 0;
  for (let i = 0; i < length; i++) {
    const xi = x[xs + i] as number;
    const wi = w[ws + i] as number;
    sum += xi * wi;
    dx[xs + i] = (dx[xs + i] as number) + slope * wi;
    dw[ws + i] = (dw[ws + i] as number) + slope * xi;
  }
  return sum;
}

export function linearOracle(op: Op<"linear">, { x, w, b, dy }: Given): Results {
  const inputs = sizeOf(op.inputShape);
  const outputs = b.length;
  const y = new Float32Array(dy.length);
  const dx = new Float32Array(x.length);
  const dw = new Float32Array(w.length);
  const db = new Float32Array(b.length);
  for (let e = 0; e < y.length; e++) {
    const o = e % outputs;
    const xs = Math.floor(e / outputs) * inputs;
    const ws = o * inputs;
    const slope = dy[e] as number;
    let sum = b[o] as number;
    for (let i = 0; i < inputs; i++) {
      const xi = x[xs + i] as number;
      const wi = w[ws + i] as number;
      sum += xi * wi;
      dx[xs + i] = (dx[xs + i] as number) + slope * wi;
      dw[ws + i] = (dw[ws + i] as number) + slope * xi;
    }
    y[e] = sum;
    db[o] = (db[o] as number) + slope;
  }
  return new Map([
    ["output", y],
    ["input", dx],
    [`${op.name}.weight`, dw],
    [`${op.name}.bias`, db],
  ]);
}

export function maxPool2dOracle(op: Op<"maxPool2d">, { x, dy }: Given): Results {
  const { kernelSize, stride, padding } = op.options;
  const [, height, width] = featureMap(op.name, op.inputShape);
  const [, outHeight, outWidth] = featureMap(op.name, op.outputShape);
  const dx = new Float32Array(x.length);
  const y = dy.map((slope, e) => {
    const map = Math.floor(e / outWidth / outHeight) * height * width;
    const top = (Math.floor(e / outWidth) % outHeight) * stride - padding;
    const left = (e % outWidth) * stride - padding;
    const window = Array.from({ length: kernelSize ** 2 }, (_, k) => [
      top + Math.floor(k / kernelSize),
      left + (k % kernelSize),
    ])
      .filter(([r = -1, c = -1]) => r >= 0 && r < height && c >= 0 && c < width)
      .map(([r = 0, c = 0]) => map + r * width + c);
    const values = window.map((i) => x[i] as number);
    const largest = Math.max(...values);
    const place = window[values.indexOf(largest)] as number;
    dx[place] = (dx[place] as number) + slope;
    return largest;
  });
  return new Map([
    ["output", y],
    ["input", dx],
  ]);
}

/** [N, C, H, W] → [N, H, W, C]. */
function channelsLast(values: Float32Array, [channels = 1, height = 1, width = 1]: Shape): Float64Array {
  const plane = height * width;
  return Float64Array.from(values, (_, e) => {
    const n = Math.floor(e / plane / channels);
    const place = Math.floor(e / channels) % plane;
    return values[(n * channels + (e % channels)) * plane + place] as number;
  });
}

/** [N, H, W, C] → [N, C, H, W]. */
function channelsFirst(values: Float64Array, [channels = 1, height = 1, width = 1]: Shape): Float32Array {
  const plane = height * width;
  return Float32Array.from(values, (_, e) => {
    const n = Math.floor(e / plane / channels);
    const channel = Math.floor(e / plane) % channels;
    return values[(n * plane + (e % plane)) * channels + channel] as number;
  });
}
