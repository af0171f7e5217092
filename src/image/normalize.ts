import type { Image } from "./image.ts";

/** A part of a picture, and its place in a network's input. */
export interface Patch {
  /** Pixels, channels side by side, and how many bytes a row has. */
  readonly data: Uint8Array;
  readonly rowBytes: number;
  /** Where the first of these pixels lies in what the fit keeps: not at its corner if only a part was copied. */
  readonly dataLeft: number;
  readonly dataTop: number;
  readonly channels: Image["channels"];
  /** The part, in pixels of `data`. */
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** Where its first pixel lies in the input. */
  readonly toLeft: number;
  readonly toTop: number;
  /** Whether the input is reflected, left for right. */
  readonly flip: boolean;
}

/** A network's input for one picture: channels × height × width numbers from `offset` on. */
export interface Planes {
  readonly target: Float32Array;
  readonly offset: number;
  readonly channels: number;
  readonly width: number;
  readonly height: number;
}

/** Numbers for each pixel of the pictures that patches are parts of. */
export interface MeanPlanes {
  readonly planes: readonly Float32Array[];
  readonly width: number;
}

/** The last step of preparing a picture: value = (level / 255 + noise − mean) / deviation, 0 around the patch. */
export type Normalizer = (patch: Patch, noise: readonly number[] | undefined, to: Planes) => void;

/** One mean and one deviation a channel, on the scale of 0 to 1; `meanImage` is on the scale of the values. */
export function createNormalizer(
  mean: readonly number[],
  deviation: readonly number[],
  meanImage: MeanPlanes | undefined,
): Normalizer {
  const still = new Float32Array(256 * mean.length);
  fillTables(still, mean, deviation, undefined);
  const noisy = still.slice();
  const means = meanImage && Float32Array.from(meanImage.planes.flatMap((plane) => [...plane]));
  return (patch, noise, to) => {
    if (noise) fillTables(noisy, mean, deviation, noise);
    if (patch.width !== to.width || patch.height !== to.height) {
      to.target.fill(0, to.offset, to.offset + to.channels * to.width * to.height);
    }
    const write = to.channels === 3 ? writeThree : writeOne;
    write(patch, noise ? noisy : still, to);
    if (meanImage && means) subtract(patch, means, meanImage, to);
  };
}

/** The value of every level, one channel after the other. */
function fillTables(
  tables: Float32Array,
  mean: readonly number[],
  deviation: readonly number[],
  noise: readonly number[] | undefined,
): void {
  for (let c = 0; c < mean.length; c++) {
    const [m = 0, d = 1, added = 0] = [mean[c], deviation[c], noise?.[c]];
    for (let level = 0; level < 256; level++) tables[256 * c + level] = (level / 255 + added - m) / d;
  }
}

/** All three planes at once, from one array of tables: almost twice as fast as plane by plane. Grey is read three times. */
function writeThree(patch: Patch, tables: Float32Array, to: Planes): void {
  const { data, rowBytes, channels, left, top, width, height, flip } = patch;
  const { target } = to;
  const plane = to.width * to.height;
  const step = flip ? -1 : 1;
  const [second, third] = channels === 3 ? [1, 2] : [0, 0];
  for (let y = 0; y < height; y++) {
    let from = (top + y) * rowBytes + left * channels;
    let i = to.offset + rowStart(patch, to, y);
    for (let x = 0; x < width; x++) {
      target[i] = tables[data[from] as number] as number;
      target[i + plane] = tables[256 + (data[from + second] as number)] as number;
      target[i + plane + plane] = tables[512 + (data[from + third] as number)] as number;
      from += channels;
      i += step;
    }
  }
}

/** Row by row, or all rows at once where there is nothing between them. */
function writeOne(patch: Patch, table: Float32Array, to: Planes): void {
  const { data, rowBytes, left, top, width, height, flip } = patch;
  const hasGaps = width !== rowBytes || width !== to.width || flip;
  const [rows, length] = hasGaps ? [height, width] : [1, width * height];
  for (let y = 0; y < rows; y++) {
    const from = (top + y) * rowBytes + left;
    const start = to.offset + (patch.toTop + y) * to.width + (flip ? to.width - patch.toLeft - width : patch.toLeft);
    const target = to.target.subarray(start, start + length);
    writeRow(data.subarray(from, from + length), table, target);
    if (flip) target.reverse();
  }
}

// A loop of its own that counts from 0 is a tenth faster than one that adds to where it begins.
function writeRow(source: Uint8Array, table: Float32Array, target: Float32Array): void {
  for (let i = 0; i < source.length; i++) target[i] = table[source[i] as number] as number;
}

/** Subtracts each pixel's own mean from what was written of the same patch; `means`: plane after plane. */
function subtract(patch: Patch, means: Float32Array, meanImage: MeanPlanes, to: Planes): void {
  const { dataLeft, dataTop, left, top, width, height, flip } = patch;
  const { target } = to;
  const plane = to.width * to.height;
  const step = flip ? -1 : 1;
  const meanPlane = means.length / to.channels;
  for (let c = 0; c < to.channels; c++) {
    for (let y = 0; y < height; y++) {
      let from = c * meanPlane + (dataTop + top + y) * meanImage.width + dataLeft + left;
      let i = to.offset + c * plane + rowStart(patch, to, y);
      for (let x = 0; x < width; x++) {
        target[i] = (target[i] as number) - (means[from++] as number);
        i += step;
      }
    }
  }
}

/** Where row `y` of a patch begins in its plane: at its right end if it is reflected. */
function rowStart({ toLeft, toTop, flip }: Patch, { width }: Planes, y: number): number {
  const row = (toTop + y) * width;
  return flip ? row + width - 1 - toLeft : row + toLeft;
}
