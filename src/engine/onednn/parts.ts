/** Slices of a tensor without a copy, and a layout that can be sliced anywhere. */
import type { Desc, NumberFormat, Session } from "./native/oneDnn.ts";
import type { Value } from "./plan.ts";

/** Part `index` of `count` equal parts along the channels: [N, C, …] → [N, C / count, …]. C / count must be a multiple of the layout's blocks. */
export function channelPart(session: Session, value: Value, index: number, count: number): Value {
  const [n = 0, c = 0, ...map] = value.dims;
  const dims = [n, c / count, ...map];
  const desc = session.slice(value.desc, dims, [0, (index * c) / count, ...map.map(() => 0)]);
  return { ...value, dims, desc };
}

/** Part `index` of `count` equal parts along the batch, which is the outermost in every layout: [N, …] → [N / count, …]. */
export function batchPart(session: Session, value: Value, index: number, count: number): Value {
  const [n = 0, ...rest] = value.dims;
  const dims = [n / count, ...rest];
  const desc = session.slice(value.desc, dims, [0, ...rest.map(() => 0)]);
  const { buffer, offset = 0 } = value;
  return { buffer, dims, desc, offset: offset + (index * session.bytes(value.desc)) / count };
}

/** The first `count` images: [N, …] → [count, …]. */
export function firstImages(session: Session, value: Value, count: number): Value {
  const dims = [count, ...value.dims.slice(1)];
  return {
    ...value,
    dims,
    desc: session.slice(
      value.desc,
      dims,
      dims.map(() => 0),
    ),
  };
}

/** Channels-last layout of [N, C, H, W]. */
export function channelsLast(session: Session, dims: readonly number[], format: NumberFormat): Desc {
  const [, channels = 0, height = 0, width = 0] = dims;
  return session.strided(dims, [height * width * channels, 1, width * channels, channels], format);
}
