/** Tiling and enlarging images. */
import type { Image } from "../../image/image.ts";

const paper = 255;

/** Arranges images of equal size and channel count in `columns` columns, separated by a white gap. */
export function tile(images: readonly Image[], columns: number, gap: number): Image {
  const [first] = images;
  if (!first) return { channels: 1, width: 1, height: 1, data: Uint8Array.of(paper) };
  const { channels, width, height } = first;
  const across = Math.min(columns, images.length);
  const rows = Math.ceil(images.length / across);
  const size = { width: across * (width + gap) - gap, height: rows * (height + gap) - gap };
  const data = new Uint8Array(size.width * size.height * channels).fill(paper);
  images.forEach((image, i) => {
    const [left, top] = [(i % across) * (width + gap), Math.floor(i / across) * (height + gap)];
    for (let y = 0; y < height; y++) {
      const row = image.data.subarray(y * width * channels, (y + 1) * width * channels);
      data.set(row, ((top + y) * size.width + left) * channels);
    }
  });
  return { ...size, channels, data };
}

/** Enlarges an image by a whole factor; each pixel becomes a square. */
export function zoom({ width, height, channels, data }: Image, factor: number): Image {
  const size = { width: width * factor, height: height * factor };
  const zoomed = new Uint8Array(size.width * size.height * channels);
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const from = (Math.floor(y / factor) * width + Math.floor(x / factor)) * channels;
      const to = (y * size.width + x) * channels;
      for (let c = 0; c < channels; c++) zoomed[to + c] = data[from + c] as number;
    }
  }
  return { ...size, channels, data: zoomed };
}
