/** 8-bit pixels of the input's size, normalized as in an export that accepts pixels. */
import { createPreprocessor, type Preprocessing } from "../image/prepare/preprocess.ts";

/** Writes the values of one image's pixels [H, W, C] of the input's size. */
export type PixelInput = (pixels: Uint8Array, target: Float32Array) => void;

/**
 * Creates the function that normalizes pixels. They stand at the centre of the part that the fit keeps, of which its window is the centre, so that
 * neither is resized and a mean image is subtracted where it belongs.
 */
export function createPixelInput(preprocessing: Preprocessing): PixelInput {
  const { size, channels, fit } = preprocessing;
  const [height, width] = size;
  const kept = "shorterSide" in fit ? { width: fit.shorterSide, height: fit.shorterSide } : { width, height };
  const prepare = createPreprocessor(preprocessing);
  if (kept.width === width && kept.height === height) {
    return (data, target) => prepare({ width, height, channels, data }, target, 0);
  }
  const frame = { ...kept, channels, data: new Uint8Array(kept.width * kept.height * channels) };
  const left = centre(kept.width - width);
  const top = centre(kept.height - height);
  const rowBytes = width * channels;
  return (pixels, target) => {
    for (let y = 0; y < height; y++) {
      const row = pixels.subarray(y * rowBytes, (y + 1) * rowBytes);
      frame.data.set(row, ((top + y) * kept.width + left) * channels);
    }
    prepare(frame, target, 0);
  };
}

/** Half of a difference; an odd one is rounded to even, as in the fit. */
function centre(difference: number): number {
  const half = Math.floor(difference / 2);
  return difference % 2 === 0 ? half : half + (half & 1);
}
