import type { Image } from "./image.ts";

/** A part of a picture, and its place in a network's input. */
export interface Patch {
  /** Pixels, channels side by side, and how many bytes a row has. */
  readonly data: Uint8Array;
  readonly rowBytes: number;
  readonly channels: Image["channels"];
  /** The part, in pixels of the picture. */
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
  const tables = mean.map((_, c) => tableOf(mean, deviation, c, 0, new Float32Array(256)));
  const noisy = tables.map((table) => table.slice());
  const isAlike = !meanImage && mean.every((value, c) => value === mean[0] && deviation[c] === deviation[0]);
  return (patch, noise, to) => {
    const plane = to.width * to.height;
    for (let c = 0; c < to.channels; c++) {
      const start = to.offset + c * plane;
      if (c > 0 && patch.channels === 1 && isAlike && !noise) {
        to.target.copyWithin(start, start - plane, start);
        continue;
      }
      const table = noise ? tableOf(mean, deviation, c, noise[c] ?? 0, noisy[c] as Float32Array) : tables[c];
      writePlane(patch, c % patch.channels, table as Float32Array, to, start);
      if (meanImage) subtract(patch, meanImage.planes[c] as Float32Array, meanImage.width, to, start);
    }
  };
}

function tableOf(
  mean: readonly number[],
  deviation: readonly number[],
  channel: number,
  noise: number,
  table: Float32Array,
): Float32Array {
  const [m = 0, d = 1] = [mean[channel], deviation[channel]];
  for (let level = 0; level < 256; level++) table[level] = (level / 255 + noise - m) / d;
  return table;
}

function writePlane(patch: Patch, channel: number, table: Float32Array, to: Planes, start: number): void {
  const { data, rowBytes, channels, left, top, width, height, flip } = patch;
  const { target } = to;
  if (width !== to.width || height !== to.height) target.fill(0, start, start + to.width * to.height);
  for (let y = 0; y < height; y++) {
    let from = (top + y) * rowBytes + left * channels + channel;
    let i = start + rowStart(patch, to, y);
    if (flip) {
      for (let x = 0; x < width; x++) {
        target[i--] = table[data[from] as number] as number;
        from += channels;
      }
    } else {
      for (let x = 0; x < width; x++) {
        target[i++] = table[data[from] as number] as number;
        from += channels;
      }
    }
  }
}

/** Subtracts each pixel's own mean from what was written of the same patch. */
function subtract(patch: Patch, means: Float32Array, meanWidth: number, to: Planes, start: number): void {
  const { left, top, width, height, flip } = patch;
  const { target } = to;
  const step = flip ? -1 : 1;
  for (let y = 0; y < height; y++) {
    let from = (top + y) * meanWidth + left;
    let i = start + rowStart(patch, to, y);
    for (let x = 0; x < width; x++) {
      target[i] = (target[i] as number) - (means[from++] as number);
      i += step;
    }
  }
}

/** Where row `y` of a patch begins in its plane: at its right end if it is reflected. */
function rowStart({ toLeft, toTop, flip }: Patch, { width }: Planes, y: number): number {
  const row = (toTop + y) * width;
  return flip ? row + width - 1 - toLeft : row + toLeft;
}
