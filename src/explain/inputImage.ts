/** Images as a network receives them, and planes of numbers as images. */
import type { Image } from "../image/image.ts";
import { createPreprocessor, type Preprocessing } from "../image/prepare/preprocess.ts";

/** Returns a function that fits an image to a network's input in colour and size, without normalization. Padding is black. */
export function createInputImage(preprocessing: Preprocessing): (image: Image) => Image {
  const { channels, size } = preprocessing;
  const [height, width] = size;
  const plain = { mean: Array<number>(channels).fill(0), deviation: Array<number>(channels).fill(1) };
  const prepare = createPreprocessor({ ...preprocessing, ...plain, meanImage: undefined });
  const values = new Float32Array(channels * height * width);
  return (image) => {
    prepare(image, values, 0);
    return imageOfPlanes(values, { channels, width, height }, (value) => 255 * value);
  };
}

/** Converts planes of numbers to an image of one or three channels. `levelOf` maps each number to a level, clamped to 0 … 255. */
export function imageOfPlanes(
  values: ArrayLike<number>,
  { channels, width, height }: Omit<Image, "data">,
  levelOf: (value: number) => number,
): Image {
  const plane = width * height;
  const data = new Uint8ClampedArray(channels * plane);
  for (let c = 0; c < channels; c++) {
    for (let p = 0; p < plane; p++) data[p * channels + c] = levelOf(values[c * plane + p] as number);
  }
  return { channels, width, height, data: new Uint8Array(data.buffer) };
}
