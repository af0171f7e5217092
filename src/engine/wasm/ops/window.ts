/** Windows of convolutions and linear layers as distances in memory. A linear layer is a window as large as the map. */
import { featureMap } from "../../../shape.ts";
import type { Op } from "../../engine.ts";
import { type Borders, extentsOf, type FeatureMap } from "../featureMap.ts";
import { LANES } from "../kernels/kernel.ts";
import { PART_BYTES } from "../kernels/product.ts";
import type { Plan } from "../plan.ts";
import type { PanelExtents } from "../weights.ts";

/** A window and how it moves. */
export interface Window {
  readonly height: number;
  readonly width: number;
  readonly stride: number;
  readonly padding: number;
  /** Groups whose channels are whole panels, so that each is computed on its own. */
  readonly groups: number;
  /** True if the window is the map, without borders. */
  readonly isWhole: boolean;
}

/** Values at a distance, in bytes, from the window's first pixel. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** True if the channels of each group are whole panels. */
function isInPanels({ options: { outChannels, groups }, inputShape }: Op<"conv2d">): boolean {
  const [channels = 0] = inputShape;
  return (channels / groups) % LANES === 0 && (outChannels / groups) % LANES === 0;
}

export function convolutionWindow(op: Op<"conv2d">): Window {
  const { kernelSize, stride, padding, groups } = op.options;
  return {
    height: kernelSize,
    width: kernelSize,
    stride,
    padding,
    groups: isInPanels(op) ? groups : 1,
    isWhole: false,
  };
}

/** Layout of a convolution's weights. Groups of other sizes than whole panels are spread: computed as one, with zeros between them. */
export function convolutionPanels(op: Op<"conv2d">, input: FeatureMap): PanelExtents {
  const { kernelSize, outChannels, groups } = op.options;
  const [channels] = featureMap(op.name, op.inputShape);
  const inPanels = groups === 1 || isInPanels(op);
  return {
    outputs: outChannels,
    channels: channels / groups,
    taps: kernelSize * kernelSize,
    lanes: groups > 1 && inPanels ? channels / groups : input.lanes,
    spreadGroups: inPanels ? 1 : groups,
  };
}

/** Zeros that a convolution reads around its input. */
export function convolutionBorders(op: Op<"conv2d">): Borders {
  return windowBorders(op.options, op.inputShape, op.outputShape);
}

/** Zeros that a window reads around a map. */
export function windowBorders(
  { kernelSize, stride, padding }: Pick<Op<"conv2d">["options"], "kernelSize" | "stride" | "padding">,
  inputShape: Op["inputShape"],
  outputShape: Op["outputShape"],
): Borders {
  const { height, width } = extentsOf(inputShape);
  const { height: outHeight, width: outWidth } = extentsOf(outputShape);
  const end = (extent: number, outputs: number) => Math.max(0, (outputs - 1) * stride + kernelSize - padding - extent);
  return { top: padding, left: padding, bottom: end(height, outHeight), right: end(width, outWidth) };
}

/** The values of a window, in the order of the weights: rows, where they are contiguous; otherwise pixels. */
export function windowSegments(
  input: FeatureMap,
  { height, width, isWhole }: Window,
  lanes: number,
): readonly Segment[] {
  if (isWhole) return [{ offset: 0, length: height * width * lanes }];
  const rows = Array.from({ length: height }, (_, row) => row * input.rowBytes);
  if (lanes === input.lanes) return rows.map((offset) => ({ offset, length: width * lanes }));
  return rows.flatMap((row) =>
    Array.from({ length: width }, (_, column) => ({ offset: row + column * input.pixelBytes, length: lanes })),
  );
}

/** Address of a table of segments. */
export function segmentTable(plan: Plan, segments: readonly Segment[]): number {
  return plan.table(Int32Array.from(segments.flatMap(({ offset, length }) => [offset, length])));
}

/** Values of a part of a sum: 20 kB of weights, within the first cache. */
const PART_LENGTH = 640;

/** Address of the table of a sum's parts, and its end. */
export function sumParts(
  plan: Plan,
  segments: readonly Segment[],
): { readonly parts: number; readonly partsEnd: number } {
  const pieces = segments.flatMap((segment) => cut(segment, PART_LENGTH));
  const table = segmentTable(plan, pieces);
  const parts: { first: number; end: number; values: number; start: number }[] = [
    { first: 0, end: 0, values: 0, start: 0 },
  ];
  for (const { length } of pieces) {
    const last = parts.at(-1) as (typeof parts)[number];
    if (last.values > 0 && last.values + length > PART_LENGTH) {
      parts.push({ first: last.end, end: last.end + 1, values: length, start: last.start + last.values });
    } else {
      last.end++;
      last.values += length;
    }
  }
  const words = parts.flatMap(({ first, end, start }) => [table + 8 * first, table + 8 * end, start * 4 * LANES]);
  const address = plan.table(Int32Array.from(words));
  return { parts: address, partsEnd: address + PART_BYTES * parts.length };
}

/** A segment in pieces of at most `most` values, all but the last of one length, a multiple of eight. */
export function cut({ offset, length }: Segment, most: number): readonly Segment[] {
  const count = Math.ceil(length / most);
  const piece = Math.ceil(length / count / LANES) * LANES;
  return Array.from({ length: Math.ceil(length / piece) }, (_, i) => ({
    offset: offset + 4 * piece * i,
    length: Math.min(piece, length - piece * i),
  }));
}

/** One of the positions, modulo the stride, of an input pixel, and the part of the window that reads it. */
export interface Tap {
  readonly row: number;
  readonly column: number;
  /** Pixels of the output's gradient from its pixel with the number of the input's pixel over the stride. */
  readonly outputRow: number;
  readonly outputColumn: number;
}

/** On one axis: elements k of the window that read the inputs at `position` modulo the stride, with the distance of the output. */
function tapsOnAxis(
  position: number,
  extent: number,
  { stride, padding }: Window,
): readonly { readonly k: number; readonly output: number }[] {
  const first = (position + padding) % stride;
  const count = Math.max(0, Math.ceil((extent - first) / stride));
  return Array.from({ length: count }, (_, t) => ({
    k: first + stride * t,
    output: (position + padding - first) / stride - t,
  }));
}

/** The window's elements that read the input pixels at (row, column) modulo the stride. */
export function tapsOf(row: number, column: number, window: Window): readonly Tap[] {
  const columns = tapsOnAxis(column, window.width, window);
  return tapsOnAxis(row, window.height, window).flatMap((r) =>
    columns.map((c) => ({ row: r.k, column: c.k, outputRow: r.output, outputColumn: c.output })),
  );
}

/** Zeros that the gradient of the input reads around the gradient of the output. */
export function gradientBordersOf(op: Op<"conv2d">, window: Window): Borders {
  const { height, width } = extentsOf(op.inputShape);
  const { height: outHeight, width: outWidth } = extentsOf(op.outputShape);
  const axis = (extent: number, outputs: number, size: number) => {
    let [before, after] = [0, 0];
    for (let position = 0; position < Math.min(window.stride, extent); position++) {
      const last = Math.ceil((extent - position) / window.stride) - 1;
      for (const { output } of tapsOnAxis(position, size, window)) {
        before = Math.max(before, -output);
        after = Math.max(after, last + output - (outputs - 1));
      }
    }
    return [before, after] as const;
  };
  const [top, bottom] = axis(height, outHeight, window.height);
  const [left, right] = axis(width, outWidth, window.width);
  return { top, bottom, left, right };
}

/** The window of a linear layer. */
export function linearWindow({ height, width }: FeatureMap): Window {
  return { height, width, stride: 1, padding: 0, groups: 1, isWhole: true };
}

export function linearPanels(op: Op<"linear">, { channels, height, width, lanes }: FeatureMap): PanelExtents {
  return { outputs: op.options.outFeatures, channels, taps: height * width, lanes, spreadGroups: 1 };
}
