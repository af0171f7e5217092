import type { Image } from "../image/image.ts";

/** Filters of a first layer: `[outChannels, channels, height, width]`. */
export type FilterShape = readonly [outChannels: number, channels: 1 | 3, height: number, width: number];

/** Between filters, and around them. */
const gap = 1;

/**
 * Draws filters side by side, a pixel for each weight, in colour if they look at colours; about as many in a row as makes
 * the picture half as high as wide. Each has its own contrast: 0 is mid-grey, its largest weight black or white.
 */
export function drawFilters(weights: Float32Array, [count, channels, height, width]: FilterShape): Image {
  const perRow = Math.max(1, Math.min(count, Math.round(Math.sqrt(2 * count))));
  const rows = Math.ceil(count / perRow);
  const image = {
    width: perRow * (width + gap) + gap,
    height: rows * (height + gap) + gap,
    channels,
  };
  const data = new Uint8Array(image.width * image.height * channels).fill(255);
  const plane = height * width;
  for (let filter = 0; filter < count; filter++) {
    const own = weights.subarray(filter * channels * plane, (filter + 1) * channels * plane);
    const largest = own.reduce((top, weight) => Math.max(top, Math.abs(weight)), 0) || 1;
    const left = gap + (filter % perRow) * (width + gap);
    const top = gap + Math.floor(filter / perRow) * (height + gap);
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < plane; p++) {
        const [x, y] = [left + (p % width), top + Math.floor(p / width)];
        const weight = own[c * plane + p] as number;
        data[(y * image.width + x) * channels + c] = Math.round(127.5 + (127.5 * weight) / largest);
      }
    }
  }
  return { ...image, data };
}
