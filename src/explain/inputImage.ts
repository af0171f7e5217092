/** Image as the network's input sees it; planes of numbers as images. */
import type { Image } from "../image/image.ts";
import { createPreprocessor, type Preprocessing } from "../image/prepare/preprocess.ts";

/** Makes the function that gives an image as the network gets it, before numbers are taken from it: fitted in colour and size; black where nothing is. */
export function createInputImage(preprocessing: Preprocessing): (picture: Image) => Image {
  const { channels, size } = preprocessing;
  const [height, width] = size;
  const plain = { mean: Array<number>(channels).fill(0), deviation: Array<number>(channels).fill(1) };
  const prepare = createPreprocessor({ ...preprocessing, ...plain, meanImage: undefined });
  const values = new Float32Array(channels * height * width);
  return (picture) => {
    prepare(picture, values, 0);
    return imageOfPlanes(values, { channels, width, height }, (value) => 255 * value);
  };
}

/** Planes of numbers as an image of one channel or three, each number turned into a level by `levelOf` and kept within 0 to 255. */
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
