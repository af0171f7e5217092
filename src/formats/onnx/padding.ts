/** ONNX padding in a node of its own, which the convolution or pool after it includes. */
import type { ChainBuilder } from "../chainBuilder.ts";
import { type FileWindow, MAX_PADDING, type Pair } from "../fileConvolution.ts";
import { axisOf, type NodeView, windowOf } from "./node.ts";
import { requireMaps } from "./operatorReader.ts";

/** Padding with a constant, along height and width. */
export function readPad(node: NodeView, chain: ChainBuilder): void {
  const mode = node.text("mode", "constant");
  if (mode !== "constant") throw node.unsupported(`attribute mode ${mode}, expected constant`);
  const isOld = node.opset < 11;
  const stated = isOld ? (node.ints("pads") ?? node.ints("paddings")) : node.need(1).integers();
  const value = isOld ? node.float("value", 0) : (node.constant(2)?.bound() ?? 0);
  const rank = chain.shape.length + 1;
  const axes = node.constant(3)?.integers() ?? [...Array(rank).keys()];
  const pads = stated ?? [];
  const places = axes.map((axis) => axisOf(node, axis, rank));
  const extents = (from: number) =>
    Array.from({ length: rank }, (_, axis) => {
      const at = places.indexOf(axis);
      return at < 0 ? 0 : (pads[from + at] ?? 0);
    });
  const [before, after] = [extents(0), extents(places.length)];
  const isMap = (axis: number) => rank === 4 && axis !== 0 && axis !== chain.channelAxis + 1;
  const isSupported = [...before, ...after].every(
    (pad, i) => pad === 0 || (isMap(i % rank) && pad > 0 && pad <= MAX_PADDING),
  );
  if (pads.length !== 2 * places.length || !isSupported) {
    throw node.unsupported(`pads ${pads.join(", ")} of [N, ${chain.shape.join(", ")}], expected height and width`);
  }
  if ([...before, ...after].every((pad) => pad === 0)) return;
  chain.pad({ before: before.slice(1), after: after.slice(1), value, what: node.what });
}

/** A window with the padding of a `Pad` before it. */
export interface PaddedWindow {
  readonly window: FileWindow;
  /** True if a `Pad` is part of the padding. */
  readonly isPaddedBefore: boolean;
}

/**
 * The window of a convolution or pool, with the padding before it. Throws UnsupportedError for a value of that padding that `accepts` refuses,
 * and the errors of `requireMaps` and `windowOf`.
 */
export function paddedWindow(
  node: NodeView,
  chain: ChainBuilder,
  accepts: (value: number) => boolean,
  missing?: Pair,
): PaddedWindow {
  requireMaps(node, chain);
  const padding = chain.takePadding();
  if (!padding) return { window: windowOf(node, chain.shape, missing), isPaddedBefore: false };
  const { before, after, value, what } = padding;
  if (!accepts(value)) throw node.unsupported(`the value ${value} of the padding before it (${what})`);
  const padded = chain.shape.map((extent, axis) => extent + (before[axis] ?? 0) + (after[axis] ?? 0));
  const window = windowOf(node, padded, missing);
  const sum = ([top, left]: Pair, [, more = 0, wider = 0]: readonly number[]): Pair => [top + more, left + wider];
  return {
    window: { ...window, padBefore: sum(window.padBefore, before), padAfter: sum(window.padAfter, after) },
    isPaddedBefore: true,
  };
}
